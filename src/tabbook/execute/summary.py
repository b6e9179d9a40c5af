"""What an execution did, for its closing lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from tabbook.errors import Diagnostic

__all__ = ["Summary"]


@dataclass
class Summary:
    """What an execution did. `seconds` are kernel seconds by framework."""

    executed: int = 0
    reused: int = 0
    failed: int = 0
    cells: int = 0  # of the executed notebooks
    failures: list[Diagnostic] = field(default_factory=list)  # of failed cells and of pages that cannot be executed
    missing: dict[str, str] = field(default_factory=dict)  # framework → why it has no environment
    unexecuted: int = 0  # notebooks left alone because their framework has no environment
    without_gpu: int = 0  # executed notebooks some of whose cells need GPUs that are not there
    shard: str = ""  # which part of the work this was, such as 2/3
    others: int = 0  # notebooks left to the other parts
    seconds: dict[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """Return the closing lines.

        >>> print(Summary(executed=1, reused=3, cells=5, seconds={"jax": 2.04}).text())
        executed 1 notebook (5 cells), reused 3, failed 0; jax 2.0 s
        """
        noun = "notebook" if self.executed == 1 else "notebooks"
        cells = "1 cell" if self.cells == 1 else f"{self.cells} cells"
        line = f"executed {self.executed} {noun} ({cells}), reused {self.reused}, failed {self.failed}"
        line += f", not executed {self.unexecuted}" if self.unexecuted else ""
        line += f", {self.without_gpu} without the GPUs that cells need" if self.without_gpu else ""
        line += f", shard {self.shard}: left to the others {self.others}" if self.shard else ""
        times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        return f"{line}; {times}" if times else line
