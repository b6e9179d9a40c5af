"""Run pieces of code in one framework's environment and write down the numbers that they record.

    python agreement_run.py FRAMEWORK JOB RESULT

JOB is a JSON file: `inputs` are lists of numbers by name, `parts` are lists of pieces of code. The pieces of a part
share a namespace, in which `give(name)` is an input as a tensor and `record(name, value)` writes a tensor down.
"""

import contextlib
import importlib
import io
import json
import sys
from pathlib import Path

import numpy


def main(framework, job, result):
    d2l = importlib.import_module(f"d2l.{framework}")
    wanted = json.loads(Path(job).read_text(encoding="utf-8"))
    found = {}

    def give(name):
        return d2l.tensor(numpy.array(wanted["inputs"][name], dtype="float32"))

    def record(name, value):
        found[name] = value if isinstance(value, str | list) else numpy.asarray(d2l.numpy(value)).tolist()

    for name, pieces in wanted["parts"].items():
        space = {"__name__": "__main__", "d2l": d2l, "give": give, "record": record, "numpy": numpy}
        for number, piece in enumerate(pieces):
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(piece, f"<{name}, piece {number}>", "exec"), space)
            space["printed"] = printed.getvalue()
    Path(result).write_text(json.dumps(found), encoding="utf-8")


main(*sys.argv[1:])
