"""Reading config.ini: every mistake in it is told with its line and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tabbook.config import Config, load_config
from tabbook.errors import BookError, as_text
from tabbook.pages import choose_pages, find_pages, page_name


def write(folder: Path, text: str, *pages: str) -> Path:
    (folder / "config.ini").write_text(text, encoding="utf-8")
    for page in ("index.md", *pages):
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text("# 頁\n", encoding="utf-8")
    return folder


def config_of(folder: Path, text: str, *pages: str) -> Config:
    return load_config(write(folder, text, *pages))


def names(config: Config) -> list[str]:
    return [page_name(config, path) for path in find_pages(config)]


def test_unknown_options_are_told_with_line_and_nearest_name(tmp_path: Path) -> None:
    """An option or a section that nobody reads is a warning, on its line, with the name that is meant."""
    text = "[project]\nname = x\nlnag = ja\n\n[biuld]\ntabs = a\n\n[pdf]\nqqq: 1\n"
    assert as_text(config_of(tmp_path, text).diagnostics) == (
        "config.ini:3: warning: `lnag` is not an option of [project]. [unknown-option]\n"
        "    hint: did you mean `lang`?\n"
        "config.ini:5: warning: `[biuld]` is not a section that is read. [unknown-option]\n"
        "    hint: did you mean `build`?\n"
        "config.ini:9: warning: `qqq` is not an option of [pdf]. [unknown-option]\n"
        "    hint: the options of [pdf] are main_font, sans_font, mono_font, post_latex, latex_logo, bibfile, "
        "latex_url, style"
    )


def test_every_option_of_d2lbook_is_known(tmp_path: Path) -> None:
    """A config.ini that names what dialect.md lists gives no warning."""
    text = (
        "[project]\nname=a\ntitle=a\nauthor=a\nrelease=1\ncopyright=a\nlang=ja\n"
        "[translation]\norigin_repo=\norigin_lang=\ntranslator=\nterminology=\n"
        "[build]\nindex=index\nnotebooks=*.md\nrsts=\nnon-notebooks=\nexclusions=\ndependencies=\nresources=\n"
        "eval_notebook=True\nsource_dir=.\noutput_dir=_build\nwarning_is_error=False\nsphinx_extensions=\n"
        "sphinx_configs=\ntabs=a\n[html]\nheader_links=\nfavicon=\nhtml_logo=\ninclude_css=\ninclude_js=\n"
        "[pdf]\nmain_font=\nsans_font=\nmono_font=\npost_latex=\nlatex_logo=\nbibfile=\nlatex_url=\nstyle=\n"
        "[library-a]\nlib_file=\nlib_name=\nsimple_alias=\nfluent_alias=\nargs_alias=\nalias=\nreverse_alias=\n"
        "[deploy]\ngoogle_analytics_tracking_id=\ngithub_repo=\ns3_bucket=\nother_file_s3urls=\n"
        "[colab]\ngithub_repo=\nexclusions=\nlibs=\nlibs_header=\ngpu_pattern=\nreplace_svg_url=\n"
        "[sagemaker]\ngithub_repo=\nkernel=\nlibs=\nlibs_header=\n"
        "[slides]\ntop_left=\ntop_right=\ngithub_repo=\n"
    )
    assert config_of(tmp_path, text).diagnostics == ()


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("name = x\n", "config.ini:1: error: File contains no section headers."),
        ("[build]\ntabs\n", "config.ini:2: error: Source contains parsing errors"),
        ("[build]\ntabs = a\ntabs = b\n", "config.ini:3: error:"),
        ("[build]\n[pdf]\n[build]\n", "config.ini:3: error:"),
    ],
)
def test_broken_ini_names_the_line(tmp_path: Path, text: str, letter: str) -> None:
    """A config.ini that cannot be parsed stops the command with the line and how it should be written."""
    with pytest.raises(BookError, match=re.escape(letter)) as caught:
        config_of(tmp_path, text)
    assert "hint: write `name = value` under a `[section]`" in str(caught.value)


def test_config_that_is_not_utf_8(tmp_path: Path) -> None:
    """A config.ini in another encoding stops the command with a letter, not with a traceback."""
    write(tmp_path, "")
    (tmp_path / "config.ini").write_bytes("[project]\ntitle = 本\n".encode("shift_jis"))
    with pytest.raises(BookError, match=r"config\.ini:1: error: 'utf-8' codec"):
        load_config(tmp_path)


def test_missing_config(tmp_path: Path) -> None:
    """A folder without config.ini is no book, and the letter says how to name one."""
    with pytest.raises(BookError, match=r"no config\.ini here, so this is not a book\.\n    hint: .*--project DIR"):
        load_config(tmp_path)


def test_missing_index(tmp_path: Path) -> None:
    """A book without its first page stops the command with the page's path."""
    with pytest.raises(BookError, match=r"first page docs/start\.md does not exist"):
        config_of(tmp_path, "[build]\nsource_dir = docs\nindex = start\n")


def test_tabs_are_lower_case_and_stripped(tmp_path: Path) -> None:
    """Tabs are read as d2lbook reads them; without the option a book has none."""
    assert config_of(tmp_path, "[build]\ntabs = PyTorch,  jax ,\n").tabs == ("pytorch", "jax")
    assert config_of(tmp_path, "").tabs == ()


def test_pages_follow_the_globs(tmp_path: Path) -> None:
    """Pages are what `notebooks` names without exclusions, non-notebooks and the output folder."""
    text = "[build]\nnotebooks = *.md c/*.md\nexclusions = c/draft.md\nnon-notebooks = README.md\n"
    pages = ("README.md", "b.md", "c/a.md", "c/draft.md", "d/other.md", "_build/index.md")
    assert names(config_of(tmp_path, text, *pages)) == ["b", "c/a", "index"]


def test_all_pages_without_globs(tmp_path: Path) -> None:
    """Without `notebooks` every Markdown file outside the output folder is a page; a folder excludes what it holds."""
    pages = ("c/d/a.md", "_build/eval/a.md", "old/a.md", "old/b/c.md")
    assert names(config_of(tmp_path, "[build]\nexclusions = old\n", *pages)) == ["c/d/a", "index"]


def test_pages_are_chosen_by_name_file_or_folder(tmp_path: Path) -> None:
    """A command takes pages by name, file or folder, and says which name is no page."""
    config = config_of(tmp_path, "", "c/a.md", "c/b.md")
    chosen = {
        name: [page_name(config, path) for path in choose_pages(config, [name])]
        for name in ("c/a", "c/a.md", "c", str(tmp_path / "c" / "b.md"))
    }
    assert chosen == {"c/a": ["c/a"], "c/a.md": ["c/a"], "c": ["c/a", "c/b"], str(tmp_path / "c" / "b.md"): ["c/b"]}
    with pytest.raises(BookError, match=r"c/none: no page of this book\.\n    hint: "):
        choose_pages(config, ["c/none"])
