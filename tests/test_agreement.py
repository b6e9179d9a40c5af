"""The four implementations give the same numbers for the same weights and inputs.

Each framework's part runs in its own environment, one process a framework. What runs there is the book's own code: the
cells of a page as its reader has them, and between them a few lines that put in the weights and write down the results.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import griffe
import pytest

from agreement_code import CONFIG, FRAMEWORKS, FUNCTIONS, INPUTS, PACKAGE, parts
from conftest import needs_environment

pytestmark = pytest.mark.slow

Matrix = list[list[float]]
Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each framework's process has recorded."""
    pythons = {framework: needs_environment(framework) for framework in FRAMEWORKS}
    with ThreadPoolExecutor(2) as pool:
        runs = {
            framework: pool.submit(recorded, framework, python, tmp_path_factory.mktemp(framework))
            for framework, python in pythons.items()
        }
    return {framework: run.result() for framework, run in runs.items()}


def recorded(framework: str, python: Path, folder: Path) -> dict[str, Any]:
    job, result = folder / "job.json", folder / "result.json"
    job.write_text(json.dumps({"inputs": INPUTS, "parts": parts(framework)}), encoding="utf-8")
    script = Path(__file__).parent / "agreement_run.py"
    cache = str(CONFIG.environments_dir / "cache" / framework)  # where kernels, too, keep what JAX has compiled
    own = {name: value.replace("{cache}", cache) for name, value in CONFIG.frameworks[framework].environ}
    environ = {**os.environ, **own, "PYTHONPATH": str(PACKAGE.parent)}
    command = [str(python), str(script), CONFIG.frameworks[framework].module, str(job), str(result)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environ, timeout=600)
    assert done.returncode == 0, f"{framework}: {done.stderr}"
    answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return answer


# The comparison


def flat(value: Any) -> list[float]:
    return [number for each in value for number in flat(each)] if isinstance(value, list) else [value]


def shape(value: Any) -> tuple[int, ...]:
    return (len(value), *shape(value[0])) if isinstance(value, list) else ()


def assert_agree(found: Found, name: str, expected: Any) -> None:
    """Assert that all frameworks have recorded the expected numbers, but for rounding, in the expected shape."""
    for framework, records in found.items():
        assert shape(records[name]) == shape(expected), (framework, name)
        for number, wanted in zip(flat(records[name]), flat(expected), strict=True):
            assert math.isclose(number, wanted, rel_tol=1e-4, abs_tol=2e-5), (framework, name, number, wanted)


def matmul(a: Matrix, b: Matrix) -> Matrix:
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


def affine(x: Matrix, w: Matrix, b: Sequence[float]) -> Matrix:
    return [[value + bias for value, bias in zip(row, b, strict=True)] for row in matmul(x, w)]


def each(function: Callable[[float], float], value: Any) -> Any:
    return [each(function, part) for part in value] if isinstance(value, list) else function(value)


def relu(x: Matrix) -> Matrix:
    result: Matrix = each(lambda value: max(value, 0.0), x)
    return result


def mlp(x: Matrix) -> Matrix:
    return affine(relu(affine(x, INPUTS["W1"], INPUTS["b1"])), INPUTS["W2"], INPUTS["b2"])


def test_layers_agree(found: Found) -> None:
    """The reader's own layers: with parameters, without, and those of the solutions."""
    x = INPUTS["x"]
    mean = sum(flat(x)) / len(flat(x))
    assert_agree(found, "dense", relu(affine(x, INPUTS["w"], INPUTS["b"])))
    assert_agree(found, "centered", each(lambda value: value - mean, x))
    cube = INPUTS["cube"]
    products = [
        [sum(cube[i][j][k] * row[i] * row[j] for i in range(5) for j in range(5)) for k in range(2)] for row in x
    ]
    assert_agree(found, "reduction", products)
    angles = [[2 * math.pi * j * k / 5 for j in range(5)] for k in range(3)]
    halves = [
        [
            sum(v * wave(a) for v, a in zip(row, angle, strict=True))
            for wave in (math.cos, _minus_sin)
            for angle in angles
        ]
        for row in x
    ]
    assert_agree(found, "fourier", halves)


def _minus_sin(angle: float) -> float:
    return -math.sin(angle)


def test_networks_agree(found: Found) -> None:
    """The MLP as a class of one's own and as one's own sequence, and a forward computation with control flow."""
    assert_agree(found, "mlp", mlp(INPUTS["X"]))
    assert_agree(found, "sequential", mlp(INPUTS["X"]))
    first = affine(INPUTS["X"], INPUTS["W"], INPUTS["c"])
    hidden = affine(relu(each(lambda value: value + 1, matmul(first, INPUTS["C"]))), INPUTS["W"], INPUTS["c"])
    while sum(map(abs, flat(hidden))) > 1:
        hidden = each(lambda value: value / 2, hidden)
    assert_agree(found, "fixed", sum(flat(hidden)))


def test_models_are_the_same_after_saving_and_loading(found: Found) -> None:
    """A copy with other numbers gives the same output once it has read the file, to the last bit."""
    assert_agree(found, "saved", mlp(INPUTS["X"]))
    for framework, records in found.items():
        assert records["loaded"] == records["saved"], framework
        assert re.findall(r": (True|False)", records["said"]) == ["False", "True"], framework


def test_gradients_of_tied_parameters_agree(found: Found) -> None:
    """The tied layer's weight and bias have 13 and 4, the sum of what they are where nothing is shared."""
    assert_agree(found, "tied", [13.0, 4.0, 6.0, 3.0, 7.0, 1.0])


def test_initialisers_agree_in_their_statistics(found: Found) -> None:
    """Normal, constant, Xavier's and the sparse initialiser: means, deviations and bounds as the formulas say."""
    bound = math.sqrt(6 / (50 + 150))
    for framework, records in found.items():
        mean, deviation = records["normal"]
        assert abs(mean) < 0.01 * 0.06, framework  # five deviations of the mean of 7500 numbers
        assert deviation == pytest.approx(0.01, rel=0.05), framework
        mean, deviation, largest = records["xavier"]
        assert abs(mean) < bound * 0.04, framework
        assert deviation == pytest.approx(bound / math.sqrt(3), rel=0.05), framework
        assert 0.99 * bound < largest <= bound * (1 + 1e-6), framework
        assert records["kept"][0] == pytest.approx(1 / math.sqrt(15), rel=0.08), framework
    assert_agree(found, "bias", [0.0] * 150)
    assert_agree(found, "zero", [[0.0] * 10] * 2)
    assert_agree(found, "sparse", [15] * 150)
    # Of x = (1, 2, 3), all weights 0.5: x / 2 in four columns, 0.5 for each hidden bias, 3 for each hidden unit.
    assert_agree(found, "constant", [v / 2 for v in (1, 2, 3) for _ in range(4)] + [0.5] * 4 + [3.0] * 4 + [1.0])


def test_the_library_agrees(found: Found) -> None:
    """Each function of `d2l` gives the same numbers, shapes and type of numbers in all frameworks."""
    x, stack = INPUTS["x"], INPUTS["stack"]
    sums = {
        None: sum(flat(stack)),
        0: [[stack[0][j][k] + stack[1][j][k] for k in range(4)] for j in range(3)],
        1: [[sum(column) for column in zip(*page, strict=True)] for page in stack],
        2: [[sum(row) for row in page] for page in stack],
    }
    counts = {None: 24, 0: 2, 1: 3, 2: 4}
    expected = {
        "tensor": [[1.0, 2.0], [3.0, 4.0]], "zeros": [[0.0] * 3] * 2, "ones": [1.0] * 3,
        "arange": [0.0, 1.0, 2.0, 3.0, 4.0],
        "matmul": matmul(x, INPUTS["w"]),
        "matmul of stacks": [matmul(a, b) for a, b in zip(stack, INPUTS["other"], strict=True)],
        "exp": each(math.exp, x), "abs": each(abs, x), "concat": x + x, "concat 1": [row + row for row in x],
        "reshape": [flat(x)[:10], flat(x)[10:]], "one number": 1.0,
        **{f"reduce_sum {axis}": sums[axis] for axis in counts},
    }  # fmt: skip
    for name, value in expected.items():
        assert_agree(found, f"d2l {name}", value)
    for axis, count in counts.items():
        assert_agree(found, f"d2l reduce_mean {axis}", each(lambda value, count=count: value / count, sums[axis]))
    for kind in ("sum", "mean"):
        assert all(records[f"d2l reduce_{kind} -1"] == records[f"d2l reduce_{kind} 2"] for records in found.values())
    assert {kind for records in found.values() for kind in records["types"]} == {"float32"}


def test_random_numbers_and_devices_agree(found: Found) -> None:
    for framework, records in found.items():
        low, high, mean, deviation, kind = records["rand"]
        assert 0 <= low < 0.01, framework
        assert 0.99 < high < 1, framework
        assert (mean, deviation, kind) == (pytest.approx(0.5, abs=0.02), pytest.approx(12**-0.5, rel=0.03), "float32")
        low, high, mean, deviation, kind = records["randn"]
        assert (mean, deviation, kind) == (pytest.approx(0, abs=0.05), pytest.approx(1, rel=0.04), "float32")
        assert low < -3, framework
        assert high > 3, framework
        assert records["another"][0] > 0, framework
        assert records["devices"] == [True] * 4, framework


def documented(framework: str) -> dict[str, set[str]]:
    """Return the exceptions that the docstrings name, by function."""
    name = CONFIG.frameworks[framework].module
    path = PACKAGE / f"{name}.py"
    module = griffe.visit(name, path, path.read_text(encoding="utf-8"))
    sections = {str(each): module[str(each)].docstring.parse("google") for each in module.exports or []}
    return {
        name: {str(error.annotation).rsplit(".", 1)[-1] for error in section.value}
        for name, found in sections.items()
        for section in found
        if section.kind.value == "raises"
    }


def test_wrong_arguments_raise_what_the_docstrings_say(found: Found) -> None:
    """And what a docstring says nothing of is not raised; JAX alone knows that there is no such GPU."""
    for framework, records in found.items():
        raised = {name.removeprefix("wrong "): kind for name, kind in records.items() if name.startswith("wrong ")}
        said = documented(framework)
        assert set(raised) == set(said), framework
        assert all(kind in said[name] for name, kind in raised.items()), (framework, raised, said)


def test_every_public_name_is_compared() -> None:
    """A function that is added to the library has to be added here."""
    used = set(re.findall(r"\bd2l\.(\w+)", FUNCTIONS))
    path = PACKAGE / "torch.py"
    public = griffe.visit("torch", path, path.read_text(encoding="utf-8")).exports or []
    assert used == {str(name) for name in public}
