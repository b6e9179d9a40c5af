"""The command line: ``tabbook COMMAND``, also ``python -m tabbook``.

Exit status: 0 fine, 1 findings or failures, 2 wrong use. What only some commands need is imported by them.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabbook.errors import BookError, system_letter
from tabbook.execute.shard import Shard, parse_shard

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))  # ends a build as Ctrl-C does
    try:
        from tabbook import commands  # noqa: PLC0415 - `--help` needs none of it

        status: int = getattr(commands, options.command)(options)
    except BookError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        sys.stderr.close()
        return 1
    except OSError as error:  # a full disk, a file that may not be written
        print(system_letter(error), file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--project", type=Path, default=Path(), metavar="DIR", help="the book's folder (default: here)")
    parser = argparse.ArgumentParser(prog="tabbook", description="Build books whose code runs in several frameworks.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, pages: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=text, description=text)
        if pages:
            added.add_argument("pages", nargs="*", metavar="PAGE", help="files, folders or page names (default: all)")
        return added

    check = command("check", "find what is wrong with the sources, without running anything")
    check.add_argument("--format", choices=["text", "json"], default="text")

    notebook = command("notebook", "write the pages' notebooks of one framework")
    notebook.add_argument("--framework", metavar="T", help="a tab of the book (default: the first)")
    notebook.add_argument("--output", type=Path, required=True, metavar="DIR")
    notebook.add_argument("--outputs", action="store_true", help="with the outputs that the store has")
    _add_store(notebook)

    execute = command("execute", "run what the store does not have")
    _add_frameworks(execute)
    _add_store(execute)
    _add_backend(execute)
    shard_help = "only this part of what is to be run; other machines run the others (default: 1/1)"
    execute.add_argument("--shard", type=parse_shard, default=Shard(), metavar="I/N", help=shard_help)

    status = command("status", "show page by page what is fresh, stale, failed or was never run")
    _add_frameworks(status)
    _add_store(status)
    status.add_argument("--format", choices=["text", "json"], default="text")

    html = command("html", "execute, then build the site", pages=False)
    _add_frameworks(html)
    _add_store(html)
    _add_backend(html)
    html.add_argument(
        "--execute", choices=["auto", "never"], default="auto", help="never: build from the store alone (default: auto)"
    )

    environments = command("environments", "make the environments ahead of time", pages=False)
    environments.add_argument("names", nargs="*", metavar="NAME", help="frameworks or d2lbook (default: the tabs)")

    _add_outputs_commands(commands, common)
    _add_store_commands(commands, common)

    command("clean", "remove what was built; environments and the store stay", pages=False)
    return parser


def _add_outputs_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    text = "compare stored outputs, cell by cell"
    outputs = commands.add_parser("outputs", help=text, description=text)
    actions = outputs.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = actions.add_parser(name, parents=[common], help=text, description=text)
        return added

    diff = action("diff", "show what differs between two stores")
    diff.add_argument("one", type=Path, metavar="A", help="a store's folder")
    diff.add_argument("other", type=Path, metavar="B", help="another one's")
    check = action("check", "execute again and show where the stored outputs are not what the code prints")
    _add_store(check)
    for parser in (diff, check):
        parser.add_argument("pages", nargs="*", metavar="PAGE", help="files, folders or page names (default: all)")
        _add_frameworks(parser)
        parser.add_argument("--rtol", type=float, default=1e-5, metavar="X", help="relative tolerance (default: 1e-5)")
        parser.add_argument("--atol", type=float, default=1e-8, metavar="X", help="absolute tolerance (default: 1e-8)")
        parser.add_argument("--format", choices=["text", "json"], default="text")


def _add_store_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    text = "clear up, export or import stored outputs"
    store = commands.add_parser("store", help=text, description=text)
    actions = store.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = actions.add_parser(name, parents=[common], help=text, description=text)
        _add_store(added, shared=False)
        return added

    gc = action("gc", "remove outputs that no page needs")
    gc.add_argument("--max-size", metavar="SIZE", help="the oldest first, until the store is this small, such as 500M")
    gc.add_argument("--dry-run", action="store_true", help="say only what would be removed")

    export = action("export", "write the outputs that pages need into an archive")
    export.add_argument("file", type=Path, metavar="FILE.tar.gz")
    export.add_argument("pages", nargs="*", metavar="PAGE", help="files, folders or page names (default: all)")
    _add_frameworks(export)

    take = action("import", "merge an archive of another machine into the store")
    take.add_argument("file", type=Path, metavar="FILE")


def _add_frameworks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--framework", action="append", metavar="T", help="only this one (may be repeated)")


def _add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", choices=["local", "ray"], default="local", help="where cells run (default: local)")
    ray_help = "the cluster's head (default: RAY_ADDRESS; without either, Ray is started on this machine)"
    parser.add_argument("--ray-address", metavar="HOST:PORT", help=ray_help)


def _add_store(parser: argparse.ArgumentParser, shared: bool = True) -> None:
    parser.add_argument("--store", type=Path, metavar="DIR", help="the store (default: in the output folder)")
    if shared:
        text = "a second store that is only read, a folder or a URL: what the first one lacks is taken from there"
        parser.add_argument("--store-url", metavar="PATH_OR_URL", help=text)


if __name__ == "__main__":
    sys.exit(main())
