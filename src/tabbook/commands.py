"""One function a command of the command line; each takes the parsed options and returns the exit status."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tabbook.config import Config, load_config
from tabbook.dialect.findings import nearest
from tabbook.errors import BookError, Diagnostic, as_json, as_text, has_errors
from tabbook.pages import choose_pages, find_pages, page_name, read_document

__all__ = ["check", "clean", "environments", "execute", "html", "notebook", "status"]


def check(options: argparse.Namespace) -> int:
    from tabbook.check import check_book  # noqa: PLC0415

    config = load_config(options.project)
    found = check_book(config, choose_pages(config, options.pages))
    if options.format == "json":
        print(as_json(found))
    elif found:
        print(as_text(found))
    return int(has_errors(found))


def notebook(options: argparse.Namespace) -> int:
    from tabbook.execute.published import published_outputs  # noqa: PLC0415
    from tabbook.execute.store import OutputStore  # noqa: PLC0415
    from tabbook.notebook import to_notebook  # noqa: PLC0415
    from tabbook.select import select  # noqa: PLC0415

    config = load_config(options.project)
    names = _frameworks(config, [options.framework] if options.framework else None)
    framework = names[0] if names else None
    store = OutputStore(options.store or config.store_dir)
    found: list[Diagnostic] = []
    for path in choose_pages(config, options.pages):
        document = read_document(config, path)
        found += document.diagnostics
        selection = select(document, framework, config.tabs)
        if selection is None:
            continue
        outputs = published_outputs(config, store, page_name(config, path), selection) if options.outputs else None
        target = options.output / f"{page_name(config, path)}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(to_notebook(selection, outputs), ensure_ascii=False, indent=1) + "\n", "utf-8")
    _print_diagnostics(found)
    return int(has_errors(found))


def execute(options: argparse.Namespace) -> int:
    from tabbook.execute.progress import Progress  # noqa: PLC0415
    from tabbook.execute.stage import execute_pages  # noqa: PLC0415
    from tabbook.execute.store import OutputStore  # noqa: PLC0415

    config = load_config(options.project)
    pages = choose_pages(config, getattr(options, "pages", []))
    names = _frameworks(config, options.framework)
    summary = execute_pages(config, pages, names, OutputStore(options.store or config.store_dir), Progress())
    _print_diagnostics(summary.failures)
    for name, reason in summary.missing.items():
        title = config.frameworks[name].title
        others = " ".join(other for other in names if other not in summary.missing)
        without = f'make html FRAMEWORKS="{others}"' if others else "make html EXECUTE=never"
        print(
            f"{title}: error: its environment could not be made, so its cells were not run: {reason}\n"
            f"    hint: correct requirements/{name}.txt, or leave it out: {without}",
            file=sys.stderr,
        )
    print(summary.text(), file=sys.stderr)
    return int(bool(summary.failures or summary.missing))


def status(options: argparse.Namespace) -> int:
    from tabbook.execute.store import OutputStore  # noqa: PLC0415
    from tabbook.execute.task import find_tasks, freshness  # noqa: PLC0415

    config = load_config(options.project)
    store = OutputStore(options.store or config.store_dir)
    pages = choose_pages(config, options.pages)
    for task in find_tasks(config, pages, _frameworks(config, options.framework)):
        state, known = freshness(task, store)
        seconds = f"{known.seconds:7.1f} s" if known.seconds else "        –"
        print(f"{state:7} {task.framework.name:12} {seconds}  {task.page}")
    return 0


def html(options: argparse.Namespace) -> int:
    from tabbook.check import check_book  # noqa: PLC0415
    from tabbook.render import build_html  # noqa: PLC0415

    config = load_config(options.project)
    found = check_book(config, find_pages(config))
    _print_diagnostics(found)
    failed = execute(options) if options.execute == "auto" and config.tabs else 0
    first_page, warnings = build_html(config, options.store)
    print(first_page)
    refused = warnings and config["build"]["warning_is_error"].lower() == "true"
    return int(bool(failed or has_errors(found) or refused))


def environments(options: argparse.Namespace) -> int:
    from tabbook.environments import EnvironmentFailure, make_environments  # noqa: PLC0415
    from tabbook.execute.progress import Progress  # noqa: PLC0415

    config = load_config(options.project)
    names = options.names or list(config.tabs)
    wanted = {
        name: config.frameworks[name].requirements if name in config.frameworks else _requirements(config, name)
        for name in names
    }
    failures = [
        result
        for result in make_environments(wanted, config.environments_dir, Progress().line).values()
        if isinstance(result, EnvironmentFailure)
    ]
    for failure in failures:
        print(f"{failure.name}: error: {failure.reason}", file=sys.stderr)
    return int(bool(failures))


def clean(options: argparse.Namespace) -> int:
    config = load_config(options.project)
    kept = {config.store_dir, config.environments_dir}
    for path in config.output_dir.glob("*"):
        if path in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return 0


def _requirements(config: Config, name: str) -> Path:
    return config.root / "requirements" / f"{name}.txt"


def _frameworks(config: Config, names: Sequence[str] | None) -> list[str]:
    """Return the frameworks meant by `--framework`; each value may hold several names.

    Raises:
        BookError: one is not a tab of the book.
    """
    wanted = [name for value in names or [] for name in value.replace(",", " ").split()]
    for name in wanted:
        if name not in config.tabs:
            hint = nearest(name, config.tabs) or f"the tabs are {', '.join(config.tabs) or 'none'}"
            raise BookError(f"{name}: not a framework of this book.\n    hint: {hint}")
    return [tab for tab in config.tabs if tab in wanted] if wanted else list(config.tabs)


def _print_diagnostics(found: Sequence[Diagnostic]) -> None:
    if found:
        print(as_text(found), file=sys.stderr)
