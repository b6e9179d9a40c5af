"""The GPUs of this machine, as the driver tells them; no framework is asked, and no device is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Gpu", "gpus_here"]


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name for CUDA_VISIBLE_DEVICES, its model, and its memory in bytes."""

    id: str
    model: str
    memory: int


def gpus_here(environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """Return the GPUs that may be used: all that there are, or those that CUDA_VISIBLE_DEVICES names."""
    return visible(_detected(), environ.get("CUDA_VISIBLE_DEVICES"))


def visible(gpus: tuple[Gpu, ...], named: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs that a value of CUDA_VISIBLE_DEVICES leaves, in its order; all without one.

    As in CUDA itself, a GPU is named by its number or by the beginning of its UUID, and the first name that is none
    ends the list.
    """
    if named is None:
        return gpus
    found: list[Gpu] = []
    for name in (part.strip() for part in named.split(",")):
        number = int(name) if name.isdecimal() else -1
        gpu = next(
            (gpu for index, gpu in enumerate(gpus) if index == number or (name and gpu.id.startswith(name))), None
        )
        if gpu is None:
            break
        found.append(gpu)
    return tuple(found)


@lru_cache(maxsize=1)
def _detected() -> tuple[Gpu, ...]:
    """Ask the driver's management library; a machine without one has no GPU that CUDA could use."""
    import pynvml  # noqa: PLC0415 - only a book with a page that asks for a GPU needs to know

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(
                pynvml.nvmlDeviceGetUUID(handle),
                pynvml.nvmlDeviceGetName(handle),
                int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
            for handle in handles
        )
    finally:
        pynvml.nvmlShutdown()
