"""Builds on machines that nobody has: ``python -m benchmarks.simulate``, from the repository's folder.

simulation.json holds what was measured, what was validated, and what was simulated with it; simulation.md and
simulation.svg are made from it. Without options, only the simulating is done anew, and gives the same numbers from the
same measurements. Exit status: 0 simulated, 1 something could not be measured, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.book import REPOSITORY
from benchmarks.kernels import clean_environ
from benchmarks.simulate_grid import SECTIONS, costs_of, run_section
from benchmarks.simulate_measure import PARTS, measure
from benchmarks.simulate_report import write_report
from benchmarks.simulate_validate import VALIDATIONS, validate
from tabbook.config import load_config
from tabbook.environments import environment_python

__all__ = ["main"]

_RESULTS = Path(__file__).with_name("simulation.json")

Results = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and validate what is asked for, simulate, and write the report; return the exit status."""
    options = _options(arguments)
    results: Results = json.loads(_RESULTS.read_text(encoding="utf-8")) if _RESULTS.is_file() else {}
    measured = results.setdefault("measured", {})
    wanted = list(PARTS) if options.measure == [] else options.measure or []
    lacking = [name for name in PARTS if name not in {*measured, *wanted}]
    if lacking:
        print(
            f"simulation.json: {', '.join(lacking)} not measured yet.\n    hint: make simulate MEASURE=1",
            file=sys.stderr,
        )
        return 2
    try:
        for name in wanted:
            measured.update(measure([name]))
            _keep(results)  # what is measured is on record, whatever ends the rest
        costs = costs_of(measured)
        for name in list(VALIDATIONS) if options.validate == [] else options.validate or []:
            rows = {row["run"]: row for row in [*results.get("validated", []), *validate([name], costs)]}
            results["validated"] = [rows[run] for run in VALIDATIONS if run in rows]
            _keep(results)
    except (LookupError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"{name}: error: {error}\n    hint: what was measured before is kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was measured before is kept", file=sys.stderr)
        return 130
    results["simulated"] = {name: run_section(name, measured) for name in SECTIONS}
    _keep(results)
    write_report(results, _RESULTS.with_suffix(".md"))
    return _plot()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulate", description="Simulate builds on machines that nobody has."
    )
    parser.add_argument(
        "--measure", nargs="*", choices=PARTS, metavar="PART", help=f"measure here first: {' '.join(PARTS)} (all)"
    )
    text = "compare with real runs: {} (all)".format(", ".join(map(repr, VALIDATIONS)))
    parser.add_argument("--validate", nargs="*", choices=VALIDATIONS, metavar="RUN", help=text)
    return parser.parse_args(arguments)


def _keep(results: Results) -> None:
    new = _RESULTS.with_suffix(".new")
    new.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    new.replace(_RESULTS)


def _plot() -> int:
    """Draw simulation.svg, in the benchmarks' own environment."""
    python = environment_python(load_config(REPOSITORY).environments_dir, "bench")
    if not python.exists():
        print("no environment: bench.\n    hint: tabbook environments bench", file=sys.stderr)
        return 2
    plot = Path(__file__).with_name("simulate_plot.py")
    subprocess.run([python, plot, _RESULTS, _RESULTS.with_suffix(".svg")], env=clean_environ(peer=True), check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
