"""One function a command of the command line; each takes the parsed options and returns the exit status."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tabbook.config import Config, load_config
from tabbook.dialect.findings import nearest
from tabbook.errors import BookError, Diagnostic, as_json, as_text, has_errors
from tabbook.pages import choose_pages, find_pages, page_name, read_document

if TYPE_CHECKING:
    from tabbook.execute.store import OutputStore

__all__ = ["check", "clean", "environments", "execute", "html", "notebook", "outputs", "status", "store"]


def check(options: argparse.Namespace) -> int:
    from tabbook.check import check_book  # noqa: PLC0415
    from tabbook.execute.store import OutputStore  # noqa: PLC0415
    from tabbook.stated import contradictions  # noqa: PLC0415

    config = load_config(options.project)
    pages = choose_pages(config, options.pages)
    found = sorted([*check_book(config, pages), *contradictions(config, OutputStore(config.store_dir), pages)])
    if options.format == "json":
        print(as_json(found))
    elif found:
        print(as_text(found))
    return int(has_errors(found))


def notebook(options: argparse.Namespace) -> int:
    from tabbook.execute.published import published_outputs  # noqa: PLC0415
    from tabbook.notebook import to_notebook  # noqa: PLC0415
    from tabbook.select import select  # noqa: PLC0415

    config = load_config(options.project)
    names = _frameworks(config, [options.framework] if options.framework else None)
    framework = names[0] if names else None
    store = _open_store(options, config)
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
    _print_report(store)
    _print_diagnostics(found)
    return int(has_errors(found))


def execute(options: argparse.Namespace) -> int:
    from tabbook.environments import environment_trouble  # noqa: PLC0415
    from tabbook.execute.backends import open_backend  # noqa: PLC0415
    from tabbook.execute.progress import Progress  # noqa: PLC0415
    from tabbook.execute.shard import Shard  # noqa: PLC0415
    from tabbook.execute.stage import execute_pages  # noqa: PLC0415
    from tabbook.pins import interpreter_notes  # noqa: PLC0415

    config = load_config(options.project)
    pages = choose_pages(config, getattr(options, "pages", []))
    names = _frameworks(config, options.framework)
    store = _open_store(options, config)
    _print_lines(interpreter_notes(config, names))
    chosen = getattr(options, "backend", "local"), getattr(options, "ray_address", None)
    with open_backend(*chosen, getattr(options, "shard", Shard())) as backend:
        summary = execute_pages(config, pages, names, store, Progress(), backend)
    _print_report(store)
    _print_diagnostics(summary.failures)
    for name, reason in summary.missing.items():
        title = config.frameworks[name].title
        others = " ".join(other for other in names if other not in summary.missing)
        without = f'make html FRAMEWORKS="{others}"' if others else "make html EXECUTE=never"
        trouble, remedy = environment_trouble(name)
        print(
            f"{title}: error: {trouble}, so its cells were not run: {reason}\n"
            f"    hint: {remedy}, or leave it out: {without}",
            file=sys.stderr,
        )
    print(summary.text(), file=sys.stderr)
    return int(bool(summary.failures or summary.missing))


def status(options: argparse.Namespace) -> int:
    from tabbook.execute.status import as_json_text, as_table, notebook_status  # noqa: PLC0415
    from tabbook.execute.task import find_tasks  # noqa: PLC0415

    config = load_config(options.project)
    store = _open_store(options, config)
    pages = choose_pages(config, options.pages)
    tasks = find_tasks(config, pages, _frameworks(config, options.framework))
    rows = [notebook_status(task, store) for task in tasks]
    print(as_json_text(rows) if options.format == "json" else as_table(rows))
    _print_interpreters(options, config)
    _print_report(store)
    return 0


def html(options: argparse.Namespace) -> int:
    from tabbook.check import check_book  # noqa: PLC0415
    from tabbook.render import build_html  # noqa: PLC0415
    from tabbook.stated import contradictions  # noqa: PLC0415

    config = load_config(options.project)
    _open_store(options, config)  # a wrong address is told before any work
    found = check_book(config, find_pages(config))
    _print_diagnostics(found)
    failed = execute(options) if options.execute == "auto" and config.tabs else 0
    if options.execute == "never":
        _print_interpreters(options, config)
    stated = contradictions(config, _open_store(options, config), find_pages(config))
    _print_diagnostics(stated)
    first_page, warnings = build_html(config, options.store, options.store_url)
    print(first_page)
    refused = warnings and config["build"]["warning_is_error"].lower() == "true"
    return int(bool(failed or has_errors([*found, *stated]) or refused))


def outputs(options: argparse.Namespace) -> int:
    from tabbook import output_commands as command  # noqa: PLC0415
    from tabbook.execute.task import find_tasks  # noqa: PLC0415
    from tabbook.execute.tolerance import Tolerance  # noqa: PLC0415

    config = load_config(options.project)
    tasks = find_tasks(config, choose_pages(config, options.pages), _frameworks(config, options.framework))
    tolerance = Tolerance(options.rtol, options.atol)
    if options.action == "diff":
        sides = command.existing_store(options.one), command.existing_store(options.other)
        return command.report_differences(tasks, sides, tolerance, options.format)
    store = _open_store(options, config)
    with tempfile.TemporaryDirectory(prefix="tb-check-") as folder:
        again = {"store": Path(folder), "store_url": None}
        failed = execute(argparse.Namespace(**{**vars(options), **again}))
        sides = command.stored_and_executed(store, Path(folder))
        # Outputs that were made on a GPU can be compared where there is one.
        done = [task for task in tasks if task.stored(sides[1].store) and task.stored(store) in (task.key, None)]
        differs = command.report_differences(done, sides, tolerance, options.format, is_check=True)
    _print_report(store)
    return int(bool(failed or differs))


def environments(options: argparse.Namespace) -> int:
    from tabbook.environments import EnvironmentFailure, environment_trouble, make_environments  # noqa: PLC0415
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
        _, remedy = environment_trouble(failure.name)
        print(f"{failure.name}: error: {failure.reason}\n    hint: {remedy}", file=sys.stderr)
    return int(bool(failures))


def store(options: argparse.Namespace) -> int:
    from tabbook import store_commands  # noqa: PLC0415
    from tabbook.execute.store import OutputStore  # noqa: PLC0415

    config = load_config(options.project)
    own = OutputStore(options.store or config.store_dir)
    if options.action == "gc":
        return store_commands.gc(options, config, own)
    if options.action == "export":
        return store_commands.export_outputs(options, config, own, _frameworks(config, options.framework))
    return store_commands.import_outputs(options, own)


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


def _open_store(options: argparse.Namespace, config: Config) -> OutputStore:
    from tabbook.execute.shared import open_store  # noqa: PLC0415

    return open_store(options.store or config.store_dir, options.store_url)


def _print_report(store: OutputStore) -> None:
    """Say what is wrong with the store behind the book's own."""
    from tabbook.execute.shared import shared_report  # noqa: PLC0415

    _print_lines(shared_report(store))


def _print_interpreters(options: argparse.Namespace, config: Config) -> None:
    """Say where outputs count as missing because of the interpreter that the environment names."""
    from tabbook.pins import interpreter_notes, unusable_interpreters  # noqa: PLC0415

    names = _frameworks(config, options.framework)
    _print_lines([*unusable_interpreters(config, names), *interpreter_notes(config, names)])


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


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
