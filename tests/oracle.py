"""Answer with the notebooks of the real d2lbook; runs in its environment, not in ours.

Every line of stdin is a JSON list of questions, every line of stdout the list of their answers:

    {"source": page, "tabs": [name or null, ...], "default": name or null}
        for each tab null where the page has no notebook for it, {"error": text} where d2lbook stops, and else
        {"cells": [[type, source], ...], "libraries": [...]}
    {"format": [[type, source], ...]}
        the cells as `d2lbook.library.format_code_nb` leaves them
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import nbformat.v4  # noqa: E402 - the warnings of these packages come when they are imported
from d2lbook import library, notebook  # noqa: E402


def answer(question):
    if "format" in question:
        return formatted(question["format"])
    try:
        page = notebook.split_markdown_cell(notebook.read_markdown(question["source"]))
        return [selected(page, tab, question["default"]) for tab in question["tabs"]]
    except Exception as error:  # d2lbook has no exceptions of its own: whatever comes is the answer
        return [{"error": f"{type(error).__name__}: {error}"} for _ in question["tabs"]]


def selected(page, tab, default):
    try:
        chosen = notebook.get_tab_notebook(page, tab, default) if tab else page
    except Exception as error:  # as above
        return {"error": f"{type(error).__name__}: {error}"}
    if chosen is None:
        return None
    cells = [[cell.cell_type, cell.source] for cell in chosen.cells]
    libraries = [name.strip("\"'") for name in page.metadata.get("required_libs", [])]  # it strips single quotes only
    return {"cells": cells, "libraries": libraries}


def formatted(cells):
    new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    nb = nbformat.v4.new_notebook(cells=[new[kind](source) for kind, source in cells])
    return [[cell.cell_type, cell.source] for cell in library.format_code_nb(nb).cells]


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps([answer(question) for question in json.loads(line)]), flush=True)
