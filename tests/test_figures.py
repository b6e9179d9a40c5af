"""Figures that matplotlib draws: the same bytes in every run, in the versions that the frameworks are pinned to."""

from __future__ import annotations

from pathlib import Path

import pytest

from books_for_tests import CONFIG, TinyBook, cell, tiny_book
from conftest import needs_environment

# Markers, hatches, clipped lines and pictures have ids in SVG; the frameworks themselves are not imported.
DRAW = """\
import matplotlib.pyplot as plt
from matplotlib_inline import backend_inline
backend_inline.set_matplotlib_formats('{kind}')
figure, axes = plt.subplots(1, 3)
axes[0].plot([0, 1, 4, 9], 'o-', clip_on=True)
axes[0].set_title('loss')
axes[1].bar([1, 2], [3, 4], hatch='/')
axes[2].imshow([[0, 1], [1, 0]])
axes[2].scatter([0, 1], [0, 1], c=[0, 1])
plt.show()"""
CONFIG_WITH_FIGURES = CONFIG.replace(
    "[framework-pytorch]", "[framework-pytorch]\nfork = no\nimports =\npackages = matplotlib numpy"
)
RUNS = ("first", "second")


def book_with_figures(root: Path, name: str) -> TinyBook:
    """Make a book whose first framework has a real framework's environment."""
    real = needs_environment(name).parent.parent
    cells = "\n".join(cell(DRAW.format(kind=kind)) for kind in ("svg", "png"))
    pages = {run: f"# 図\n\n{cell(f'{run!r}')}\n{cells}" for run in RUNS}  # two notebooks: nothing is reused
    book = tiny_book(root / "book", {"index": "# 本\n", **pages}, CONFIG_WITH_FIGURES)
    environment = book.root / "_build" / "environments" / "pytorch"
    for part in ("bin", "lib", "pyvenv.cfg"):
        (environment / part).unlink()
        (environment / part).symlink_to(real / part)
    return book


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pytorch", "mxnet"])
def test_figures_are_the_same_in_every_run(tmp_path: Path, name: str) -> None:
    """No page says anything about it: SVG loses its date and random ids, PNG has none; the versions are noted."""
    book = book_with_figures(tmp_path, name)
    book.tabbook("execute")
    records = [book.store.load(book.key(run, "pytorch").digest) for run in RUNS]
    drawn = [[outputs for _, outputs in record.cells[1:]] for record in records if record]
    assert drawn[0] == drawn[1]
    assert [[output["output_type"] for output in outputs] for outputs in drawn[0]] == [["display_data"]] * 2
    svg, png = (outputs[0]["data"] for outputs in drawn[0])
    assert svg["image/svg+xml"].count("<clipPath id=") >= 3
    assert "dc:date" not in svg["image/svg+xml"]
    assert png["image/png"]
    assert records[0]
    assert list(records[0].provenance["versions"]) == ["matplotlib", "numpy", "python"]
