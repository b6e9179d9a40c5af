"""A book's configuration: config.ini read once, checked, and handed around as a value."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from tabbook.dialect.findings import nearest
from tabbook.errors import BookError, Diagnostic
from tabbook.options import OPTIONS, PREFIXES

__all__ = ["Config", "Framework", "load_config"]

CONFIG_NAME = "config.ini"

Section = Mapping[str, str]


@dataclass(frozen=True)
class Framework:
    """One tab, and all that the toolchain knows of it."""

    name: str
    title: str
    requirements: Path | None
    seed_code: str
    environ: tuple[tuple[str, str], ...]
    noise: tuple[str, ...]
    packages: tuple[str, ...]
    module: str
    fork: bool
    imports: tuple[str, ...]
    check: str


@dataclass(frozen=True)
class Config:
    """A project: its folder and the options of its config.ini, defaults filled in.

    `memory` holds what was found out of the project's files and is asked for again and again, by framework.
    """

    root: Path
    sections: Mapping[str, Section]
    diagnostics: tuple[Diagnostic, ...] = ()
    memory: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)

    def __getitem__(self, section: str) -> Section:
        return self.sections[section]

    @cached_property
    def source_dir(self) -> Path:
        return self.root / self["build"]["source_dir"]

    @cached_property
    def output_dir(self) -> Path:
        return self.root / self["build"]["output_dir"]

    @property
    def html_dir(self) -> Path:
        return self.root / self["build"]["html_dir"] if self["build"]["html_dir"] else self.output_dir / "html"

    @property
    def store_dir(self) -> Path:
        return self.output_dir / "store"

    @property
    def environments_dir(self) -> Path:
        return self.output_dir / "environments"

    @property
    def language(self) -> str:
        return self["project"]["lang"] or "en"

    @cached_property
    def tabs(self) -> tuple[str, ...]:
        """The tabs, the default one first; empty for a book without tabs."""
        return tuple(name.strip() for name in self["build"]["tabs"].lower().split(",") if name.strip())

    @cached_property
    def frameworks(self) -> dict[str, Framework]:
        """The frameworks by name, in the order of the tabs."""
        return {tab: self._framework(tab) for tab in self.tabs}

    def _framework(self, tab: str) -> Framework:
        section = self.sections.get(f"framework-{tab}", PREFIXES["framework-"])
        requirements = section["requirements"]
        pairs = (line.partition("=") for line in section["environ"].splitlines() if line.strip())
        return Framework(
            name=tab,
            title=section["title"] or tab,
            requirements=self.root / requirements if requirements else None,
            seed_code=section["seed"],
            environ=tuple((name.strip(), value.strip()) for name, _, value in pairs),
            noise=_lines(section["noise"]),
            module=section["module"] or tab,
            packages=tuple(section["packages"].split()),
            fork=section["fork"].lower() in ("yes", "true", "on", "1"),
            imports=_lines(section["imports"]),
            check=section["check"],
        )

    def relative(self, path: Path) -> str:
        """Return a path as messages show it: from the project's folder, with slashes."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


def _lines(value: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in value.splitlines() if line.strip())


def load_config(root: Path) -> Config:
    """Read the configuration of the project in folder `root`.

    Raises:
        BookError: there is no config.ini, or it cannot be parsed; the message names the line.
    """
    path = root / CONFIG_NAME
    if not path.is_file():
        raise BookError(
            f"{root}: no {CONFIG_NAME} here, so this is not a book.\n"
            f"    hint: go to the book's folder, or name it with --project DIR"
        )
    own = _parse(path)
    known = configparser.RawConfigParser()
    known.read_dict(OPTIONS)
    known.read_string((resources.files("tabbook") / "frameworks.ini").read_text(encoding="utf-8"))
    for section in own.sections():
        if not known.has_section(section):
            known.add_section(section)
        for name, value in own.items(section):
            known.set(section, name, value)
    sections = {name: {**_defaults(name), **dict(known.items(name))} for name in known.sections()}
    config = Config(root.resolve(), sections, tuple(_unknown_options(own, path)))
    _require_index(config)
    return config


def _parse(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", [])), 1)
        reason = str(error).replace("\n", " ")
        raise BookError(
            f"{CONFIG_NAME}:{line}: error: {reason}\n    hint: write `name = value` under a `[section]`; "
            "indent the further lines of a value"
        ) from None
    return parser


def _defaults(section: str) -> Section:
    prefix = next((prefix for prefix in PREFIXES if section.startswith(prefix)), None)
    return PREFIXES[prefix] if prefix else OPTIONS.get(section, {})


def _unknown_options(own: configparser.RawConfigParser, path: Path) -> list[Diagnostic]:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for section in own.sections():
        known = _defaults(section)
        if not known:
            hint = nearest(section, [*OPTIONS, *PREFIXES]) or f"the sections are {', '.join(OPTIONS)}"
            line = _line_of(lines, section, None)
            found.append(_unknown(line, f"`[{section}]` is not a section that is read.", hint))
            continue
        for name in own.options(section):
            if name not in known:
                hint = nearest(name, known) or f"the options of [{section}] are {', '.join(known)}"
                line = _line_of(lines, section, name)
                found.append(_unknown(line, f"`{name}` is not an option of [{section}].", hint))
    return found


def _unknown(line: int, message: str, hint: str) -> Diagnostic:
    return Diagnostic(CONFIG_NAME, line, "unknown-option", "warning", message, hint)


def _line_of(lines: list[str], section: str, name: str | None) -> int:
    current = None
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\[(.+)\]", line):
            current = header[1]
            if current == section and name is None:
                return number
        elif current == section and name and re.match(rf"{re.escape(name)}\s*[=:]", line, re.IGNORECASE):
            return number
    return 1


def _require_index(config: Config) -> None:
    index = config.source_dir / (config["build"]["index"].removesuffix(".md") + ".md")
    if not index.is_file():
        raise BookError(
            f"{CONFIG_NAME}: the book's first page {config.relative(index)} does not exist.\n"
            "    hint: write it, or set `source_dir` and `index` under [build]"
        )
