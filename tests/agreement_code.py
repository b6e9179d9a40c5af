"""What the agreement tests run in each framework: cells of the book's pages, and what is put between them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from conftest import REPOSITORY
from tabbook.config import load_config
from tabbook.execute.marks import execution_marks, is_run
from tabbook.pages import read_document
from tabbook.select import select

__all__ = ["CONFIG", "FRAMEWORKS", "FUNCTIONS", "INPUTS", "PACKAGE", "parts"]

CONFIG = load_config(REPOSITORY)
FRAMEWORKS = CONFIG.tabs
PACKAGE = REPOSITORY / CONFIG["tabbook"]["library"]
CHAPTER = "chapter_builders-guide"


def numbers(*shape: int, scale: float = 1.0, seed: int = 0) -> Any:
    """Return normal random numbers as nested lists."""
    generator = random.Random(f"{shape} {seed}")

    def nested(*lengths: int) -> Any:
        return [nested(*lengths[1:]) for _ in range(lengths[0])] if lengths else generator.gauss(0, scale)

    return nested(*shape)


INPUTS = {
    "x": numbers(4, 5),
    "w": numbers(5, 3),
    "b": numbers(3),
    "cube": numbers(5, 5, 2),
    "X": numbers(2, 20),
    "W1": numbers(20, 256, scale=0.2),
    "b1": numbers(256),
    "W2": numbers(256, 10, scale=0.1),
    "b2": numbers(10),
    "C": numbers(20, 20, scale=0.3),
    "W": numbers(20, 20, scale=0.2, seed=1),
    "c": numbers(20),
    "stack": numbers(2, 3, 4),
    "other": numbers(2, 4, 5),
}


# The book's code


@cache
def cells(page: str, framework: str) -> tuple[str, ...]:
    """Return the code cells of a page that run on a machine without a GPU and raise nothing."""
    selection = select(read_document(CONFIG, CONFIG.source_dir / CHAPTER / f"{page}.md"), framework, FRAMEWORKS)
    assert selection is not None
    marks = [(cell.source, execution_marks(cell.source)) for _, cell in selection.code]
    return tuple(source for source, found in marks if found.raises is None and is_run(found, 0))


def until(page: str, framework: str, *last: str) -> list[str]:
    """Return the cells of a page up to the first that holds the texts `last`."""
    found = cells(page, framework)
    return list(found[: _place(found, page, framework, *last) + 1])


def between(page: str, framework: str, first: str, last: str) -> list[str]:
    """Return the cells behind the one that holds `first`, up to the one that holds `last`."""
    found = cells(page, framework)
    return list(found[_place(found, page, framework, first) + 1 : _place(found, page, framework, last) + 1])


def _place(found: Sequence[str], page: str, framework: str, *texts: str) -> int:
    places = [index for index, source in enumerate(found) if all(text in source for text in texts)]
    assert places, f"no {framework} cell of {page} holds {texts}: the page has changed, change this test with it"
    return places[0]


def own(pytorch: str, mxnet: str, jax: str, tensorflow: str) -> dict[str, str]:
    return {"pytorch": pytorch, "mxnet": mxnet, "jax": jax, "tensorflow": tensorflow}


# What is put between the cells: the weights go in, the results come out

LAYERS = own(
    """
layer = MyLinear(5, 3)
layer.load_state_dict({"weight": give("w"), "bias": give("b")})
record("dense", layer(give("x")))
reduction = TensorReduction(5, 2)
reduction.load_state_dict({"weight": give("cube")})
record("reduction", reduction(give("x")))
""",
    """
layer = MyDense(3, in_units=5)
layer.initialize()
layer.weight.set_data(give("w")), layer.bias.set_data(give("b"))
record("dense", layer(give("x")))
reduction = TensorReduction(2, in_units=5)
reduction.initialize()
reduction.weight.set_data(give("cube"))
record("reduction", reduction(give("x")))
""",
    """
record("dense", MyDense(3).apply({"params": {"weight": give("w"), "bias": give("b")}}, give("x")))
record("reduction", TensorReduction(2).apply({"params": {"weight": give("cube")}}, give("x")))
""",
    """
layer = MyDense(3)
layer(give("x"))
layer.set_weights([give("w"), give("b")])
record("dense", layer(give("x")))
reduction = TensorReduction(2)
reduction(give("x"))
reduction.set_weights([give("cube")])
record("reduction", reduction(give("x")))
""",
)
ALIKE = 'record("centered", CenteredLayer()(give("x")))\nrecord("fourier", HalfFourier()(give("x")))'

NETWORKS = own(
    """
weights = [give("W1").T, give("b1"), give("W2").T, give("b2")]
mlp = MLP()
ours = MySequential(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 10))
for name, net in {"mlp": mlp, "sequential": ours}.items():
    net.load_state_dict(dict(zip(net.state_dict(), weights)))
    record(name, net(give("X")))
fixed = FixedHiddenMLP()
fixed.load_state_dict({"C": give("C"), "dense.weight": give("W").T, "dense.bias": give("c")})
record("fixed", fixed(give("X")))
""",
    """
weights = [give("W1").T, give("b1"), give("W2").T, give("b2")]
mlp = MLP()
ours = MySequential(nn.Dense(256, activation="relu"), nn.Dense(10))
for name, net in {"mlp": mlp, "sequential": ours}.items():
    net.initialize()
    net(give("X"))
    for parameter, value in zip(net.collect_params().values(), weights):
        parameter.set_data(value)
    record(name, net(give("X")))
fixed = FixedHiddenMLP()
fixed.initialize()
fixed(give("X"))
fixed.C.set_data(give("C"))
fixed.dense.weight.set_data(give("W").T), fixed.dense.bias.set_data(give("c"))
record("fixed", fixed(give("X")))
""",
    """
first, last = ({"kernel": give(f"W{n}"), "bias": give(f"b{n}")} for n in (1, 2))
record("mlp", MLP().apply({"params": {"hidden": first, "out": last}}, give("X")))
ours = MySequential([nn.Dense(256), nn.relu, nn.Dense(10)])
record("sequential", ours.apply({"params": {"layers_0": first, "layers_2": last}}, give("X")))
variables = {"params": {"dense": {"kernel": give("W"), "bias": give("c")}}, "constants": {"C": give("C")}}
record("fixed", FixedHiddenMLP().apply(variables, give("X")))
""",
    """
weights = [give("W1"), give("b1"), give("W2"), give("b2")]
mlp = MLP()
ours = MySequential(tf.keras.layers.Dense(256, activation="relu"), tf.keras.layers.Dense(10))
for name, net in {"mlp": mlp, "sequential": ours}.items():
    net(give("X"))
    net.set_weights(weights)
    record(name, net(give("X")))
fixed = FixedHiddenMLP()
fixed(give("X"))
fixed.C.assign(give("C"))
fixed.dense.set_weights([give("W"), give("c")])
record("fixed", fixed(give("X")))
""",
)

GIVEN = own(
    """
X = give("X")
net.load_state_dict(dict(zip(net.state_dict(), [give("W1").T, give("b1"), give("W2").T, give("b2")])))
Y = net(X)
""",
    """
X = give("X")
for parameter, value in zip(net.collect_params().values(), [give("W1").T, give("b1"), give("W2").T, give("b2")]):
    parameter.set_data(value)
Y = net(X)
""",
    """
X = give("X")
first, last = ({"kernel": give(f"W{n}"), "bias": give(f"b{n}")} for n in (1, 2))
params = {"params": {"hidden": first, "head": last}}
Y = net.apply(params, X)
""",
    """
X = give("X")
net.set_weights([give("W1"), give("b1"), give("W2"), give("b2")])
Y = net(X)
""",
)
LOADED = {
    **dict.fromkeys(FRAMEWORKS, 'record("loaded", clone(X))'),
    "jax": 'record("loaded", clone.apply(clone_params, X))',
}
SAID = 'record("said", printed)\nrecord("saved", Y)'

TIED = own(
    "grads = [(layer.weight.grad, layer.bias.grad) for layer in (shared, untied.first, untied.second)]",
    "grads = [(layer.weight.grad(), layer.bias.grad()) for layer in (shared, untied.first, untied.second)]",
    "grads = [(g['kernel'], g['bias']) for g in (tied_grads['first'], untied_grads['first'], untied_grads['second'])]",
    """
with tf.GradientTape() as tape:
    o = d2l.reduce_sum(tied(x)) + d2l.reduce_sum(untied(x))
grads = tape.gradient(o, [layer.weights for layer in layers])
""",
)
FLAT = 'record("tied", [float(d2l.reduce_sum(g)) for pair in grads for g in pair])'
LAST_TIED = own("pair.zero_grad()", "o.backward()\n\nfor layer", "tied_grads = gradients(", "tape.gradient(o, [layer")

# Behind the cells that show how parameters were initialised: a text of the cell, and what is recorded
STATISTICS = {
    "abs(d2l.numpy(b)).max()": """
record("normal", [float(d2l.numpy(W).mean()), float(d2l.numpy(W).std())])
record("bias", d2l.reshape(b, (-1,)))
""",
    "gradients(0.5, x)": 'record("constant", d2l.concat([d2l.reshape(g, (-1,)) for g in gradients(0.5, x)]))',
    "abs(d2l.numpy(Y)).max()": """
record("xavier", [float(d2l.numpy(W).mean()), float(d2l.numpy(W).std()), float(abs(d2l.numpy(W)).max())])
record("zero", Y)
""",
    "counts.min()": """
record("sparse", [int(n) for n in counts])
record("kept", [float(d2l.numpy(W)[d2l.numpy(W) != 0].std())])
""",
}

FUNCTIONS = """
A, B, stack, other = give("x"), give("w"), give("stack"), give("other")
made = {
    "tensor": d2l.tensor([[1.0, 2], [3, 4]]), "zeros": d2l.zeros((2, 3)), "ones": d2l.ones((3,)),
    "arange": d2l.arange(5),
    "matmul": d2l.matmul(A, B), "matmul of stacks": d2l.matmul(stack, other),
    "exp": d2l.exp(A), "abs": d2l.abs(A), "concat": d2l.concat([A, A]), "concat 1": d2l.concat([A, A], axis=1),
    "reshape": d2l.reshape(A, (2, -1)), "one number": d2l.reshape(d2l.ones((1,)), ()),
    **{f"reduce_sum {axis}": d2l.reduce_sum(stack, axis) for axis in (None, 0, 1, 2, -1)},
    **{f"reduce_mean {axis}": d2l.reduce_mean(stack, axis) for axis in (None, 0, 1, 2, -1)},
}
for name, value in made.items():
    record(f"d2l {name}", value)
record("types", [str(d2l.numpy(value).dtype) for value in made.values()])
for name, value in {"rand": d2l.rand((100, 100)), "randn": d2l.randn((100, 100))}.items():
    value = d2l.numpy(value)
    record(name, [*map(float, (value.min(), value.max(), value.mean(), value.std())), str(value.dtype)])
record("another", [float(abs(d2l.numpy(d2l.randn((9,)) - d2l.randn((9,)))).max())])
gpus = [d2l.gpu(i) for i in range(d2l.num_gpus())]
record("devices", [d2l.try_gpu() == (gpus or [d2l.cpu()])[0], d2l.try_gpu(d2l.num_gpus()) == d2l.cpu(),
                   d2l.try_gpu(-1) == d2l.cpu(), d2l.try_all_gpus() == (gpus or [d2l.cpu()])])
"""

WRONG = """
wrong = {
    "tensor": lambda: d2l.tensor([[1.0], [2.0, 3.0]]),
    "matmul": lambda: d2l.matmul(d2l.ones((2, 3)), d2l.ones((2, 3))),
    "reduce_sum": lambda: d2l.reduce_sum(d2l.ones((2, 3)), 5),
    "reduce_mean": lambda: d2l.reduce_mean(d2l.ones((2, 3)), 5),
    "concat": lambda: d2l.concat([d2l.ones((2, 3)), d2l.ones((2, 4))]),
    "reshape": lambda: d2l.reshape(d2l.ones((2, 3)), (4,)),
    "gpu": lambda: d2l.gpu(1000),
}
for name, call in wrong.items():
    try:
        call()
    except Exception as error:
        record(f"wrong {name}", type(error).__name__)
"""


def parts(framework: str) -> dict[str, list[str]]:
    """Return the pieces of code that a framework's process runs."""
    statistics = [
        piece + "".join(f"\n{code}" for text, code in STATISTICS.items() if text in piece)
        for piece in until("init-param", framework, "counts.min()")
    ]
    return {
        "layers": [*until("custom-layer", framework, "HalfFourier()(d2l"), LAYERS[framework], ALIKE],
        "networks": [*until("model-construction", framework, "class FixedHiddenMLP"), NETWORKS[framework]],
        "files": [
            *until("read-write", framework, "class MLP"),
            GIVEN[framework],
            *between("read-write", framework, "class MLP", "読み込んだ後"),
            SAID,
            LOADED[framework],
        ],
        "tied": [*until("parameters", framework, LAST_TIED[framework]), TIED[framework], FLAT],
        "statistics": statistics,
        "functions": [FUNCTIONS, WRONG],
    }
