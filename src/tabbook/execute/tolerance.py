"""Texts that say the same but for small differences in their numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Tolerance"]

# A number stands alone: not within a name (`x1`, `float32`) nor a version (`2.13.0`), and `1-2` is no -2.
_NUMBER = re.compile(
    r"(?<![\w.])([-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?)(?=j?(?:$|[^\w.]|\.(?!\d)))", re.ASCII
)


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers with a decimal point or an exponent may lie apart; whole numbers must be equal."""

    relative: float = 1e-5
    absolute: float = 1e-8

    def same(self, one: str, other: str) -> bool:
        """Tell whether two texts are the same: the text between their numbers equal, the numbers close.

        >>> Tolerance().same("loss 0.1234567, 10 steps", "loss 0.1234568, 10 steps")
        True
        >>> Tolerance().same("loss 0.1234567, 10 steps", "loss 0.1234567, 11 steps")
        False

        Blanks beside a number do not count: columns move with a sign.
        """
        if one == other:
            return True
        here, there = _NUMBER.split(one), _NUMBER.split(other)
        return (
            len(here) == len(there)
            and _texts(here) == _texts(there)
            and all(self._close(*pair) for pair in zip(here[1::2], there[1::2], strict=True))
        )

    def _close(self, one: str, other: str) -> bool:
        if one == other:
            return True
        if not {*".eE"} & {*one, *other}:
            return int(one) == int(other)
        here, there = float(one), float(other)
        return here == there or abs(here - there) <= self.absolute + self.relative * max(abs(here), abs(there))


def _texts(pieces: list[str]) -> list[str]:
    """Return what stands between the numbers, without blanks beside them."""
    texts = pieces[::2]
    texts[1:] = [text.lstrip(" \t") for text in texts[1:]]
    texts[:-1] = [text.rstrip(" \t") for text in texts[:-1]]
    return texts
