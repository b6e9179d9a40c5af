"""What is better shown directly than in a fixture: selections, branches, the small functions of the dialect."""

from __future__ import annotations

import pytest

from tabbook.dialect import read_page
from tabbook.dialect.attributes import parse_attributes
from tabbook.dialect.branches import BranchError, branch_errors, select_branches
from tabbook.dialect.cell_marks import required_libraries
from tabbook.dialect.grammar import prose_parser
from tabbook.dialect.japanese import one_line
from tabbook.dialect.slides import find_slide_marks, strip_slide_marks
from tabbook.notebook import to_notebook
from tabbook.select import select

PAGE = "# 頁\n\n```{.python .input}\n%%tab a\nx\n```\n\n```{.python .input}\n%%tab all\ny\n```\n"


def test_positions_are_those_of_the_page() -> None:
    """Cells keep their place in the page, so that those of several tabs can be put side by side."""
    selection = select(read_page(PAGE, "a.md", ("b", "a")), "b", ("b", "a"))
    assert selection is not None
    assert [position for position, _ in selection.cells] == [0, 2]


def test_notebooks_of_one_page_are_the_same_bytes() -> None:
    """Ids come from positions, not from chance."""
    selections = [select(read_page(PAGE, "a.md", ("a",)), "a", ("a",)) for _ in range(2)]
    first, second = (to_notebook(selection) for selection in selections if selection)
    assert first == second
    assert [cell["id"] for cell in first["cells"]] == ["cell-0", "cell-1", "cell-2"]


def test_given_outputs_replace_those_of_the_page() -> None:
    """Outputs of an execution win over outputs that stand in the page."""
    page = '```{.python .input}\nx\n```\n\n```{.json .output}\n[{"output_type": "old"}]\n```\n'
    selection = select(read_page(page, "a.md", ("a",)), "a", ("a",))
    assert selection is not None
    assert to_notebook(selection)["cells"][0]["outputs"] == [{"output_type": "old"}]
    assert to_notebook(selection, {0: [{"output_type": "new"}]})["cells"][0]["outputs"] == [{"output_type": "new"}]
    assert to_notebook(selection, {})["cells"][0]["outputs"] == []


def test_only_the_loader_of_the_tab_asks_for_libraries() -> None:
    """The libraries of a page are those that a cell for the tab asks for."""
    page = PAGE + '\n```{.python .input}\n%%tab a\n%load_ext d2lbook.tab\n#required_libs("z==1")\n```\n'
    document = read_page(page, "a.md", ("b", "a"))
    selections = {tab: select(document, tab, ("b", "a")) for tab in ("a", "b")}
    assert {tab: selection.libraries for tab, selection in selections.items() if selection} == {"a": ("z==1",), "b": ()}


def test_errors_of_branches_name_their_lines() -> None:
    """All conditions of a cell that cannot be decided are found, on their own lines, behind other branches too."""
    source = (
        "if tab.selected('a'):\n    x = 1\n    y = 2\n"
        "if tab.selected('b') and x > 1:\n    if tab.selected(name):\n        z = 3\n"
        "x = tab.selected('a')"
    )
    assert branch_errors(source) == [
        BranchError(3, "`x > 1` is not known before the cell runs"),
        BranchError(4, "`name` is not a tab's name in quotes"),
        BranchError(6, "it is not the condition of an `if`"),
    ]


def test_code_that_does_not_ask_for_a_tab_is_not_parsed() -> None:
    """A cell without branches may hold what is no Python."""
    source = "?print\nfor x in :\n"
    assert select_branches(source, "a") == source
    assert branch_errors(source) == []


@pytest.mark.parametrize("tab", ["a", "b", "c"])
def test_selected_code_is_code(tab: str) -> None:
    """Whatever a tab leaves of branches inside blocks can be compiled."""
    source = (
        "class C:\n    def f(self):\n        if tab.selected('a'):\n            return 1\n"
        "    def g(self):\n        for i in x:\n            if tab.selected('b'):\n                # 注\n"
        "                pass\n            elif tab.selected('c'):\n                if i: y = '''\n  z\n'''\n"
        "        else:\n            if not tab.selected('c'):\n                z = 1\n"
        "    if tab.selected('a', 'c'):\n        h = 1\n"
    )
    compile(select_branches(source, tab), "cell", "exec")


def test_strings_of_a_branch_move_as_a_whole() -> None:
    """A string that is indented with its branch moves with it; one that is not keeps its text."""
    moved = "if tab.selected('a'):\n    '''x\n\n      y\n    '''\n"
    kept = "if tab.selected('a'):\n    '''x\n      y\n  '''\n"
    assert select_branches(moved, "a") == "'''x\n\n  y\n'''\n"
    assert select_branches(kept, "a") == "'''x\n      y\n  '''\n"


def test_fence_attributes_are_those_of_pandoc() -> None:
    """Classes, values in quotes and names are told apart; an output is no input."""
    attributes = parse_attributes("{#id .bash .input n=3 title='a b'}")
    assert attributes.classes == ("bash", "input")
    assert dict(attributes.values) == {"n": "3", "title": "'a b'"}
    assert (attributes.is_input, attributes.language) == (True, "bash")
    output = parse_attributes("{.json .output}")
    assert (output.is_input, output.is_output) == (False, True)


def test_required_libraries_take_either_quote() -> None:
    """Names are read without quotes and blanks; what is no call gives none."""
    sources = ["#required_libs(\"a==1\", 'b')", "# required_libs()", "required_libs('c')"]
    assert required_libraries(sources) == ("a==1", "b")


def test_slide_marks_tell_their_kind() -> None:
    """A mark says whether it starts a slide and whether its text is in slides only."""
    marks, problems = find_slide_marks("[**a**] (**b**) [~~c~~] (~~d~~)")
    assert [(mark.starts_slide, mark.only_in_slides) for mark in marks] == [
        (True, False),
        (False, False),
        (True, True),
        (False, True),
    ]
    assert problems == []


def test_stripping_slide_marks_keeps_lines() -> None:
    """Text without marks has as many lines as before, whatever is removed."""
    source = "[**a\nb**] (~~c\nd~~)\n[~~e\n(**f**)\ng~~]h"
    assert strip_slide_marks(source) == "a\nb \n\n\n\nh"


def test_caption_lines_are_joined_as_paragraphs_are() -> None:
    """A caption is one line: no blank between Japanese letters, one between others."""
    assert one_line("図の\n  説明はEnglish\nである。\n`x`\nの値") == "図の説明はEnglish である。`x`の値"
    assert one_line("a\nb") == "a b"
    assert one_line("") == ""


def test_dialect_becomes_what_myst_knows() -> None:
    """Figures, tables, lists of contents and roles become directives and roles of MyST, on their own lines."""
    source = (
        "![図`x`の:numref:`a`](i.svg)\n:width:`4px`\n:label:`f`\n\n: 表\n\n|a|\n|-|\n|b|\n:label:`t`\n\n"
        "```toc\na\n```\n\n:bibliography:`x.bib`\n\n:citet:`k`\n"
    )
    tokens = prose_parser().parse(source)
    fences = [(token.info, token.content, token.map) for token in tokens if token.type == "fence"]
    assert fences == [
        ("{figure} i.svg", ":name: f\n:width: 4px\n:alt: 図xのa\n\n図`x`の:numref:`a`\n", [0, 3]),
        ("{table} 表", ":name: t\n\n|a|\n|-|\n|b|\n", [4, 10]),
        ("{toctree}", "a\n", [11, 14]),
        ("{bibliography} x.bib", "", [15, 16]),
    ]
    roles = [token for token in tokens[-2].children or [] if token.type == "myst_role"]
    assert [(role.meta["name"], role.content) for role in roles] == [("cite:t", "k")]
