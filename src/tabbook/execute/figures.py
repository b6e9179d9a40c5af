"""Pictures without what differs from run to run: the date and the random ids that matplotlib writes into SVG."""

from __future__ import annotations

import hashlib
import re

__all__ = ["normalise_svg"]

# matplotlib ends the ids of clip paths, markers, hatches and images with ten digits of a hash, salted anew each time.
_ID = re.compile(r'\bid="([^"#()\s]*?)([0-9a-f]{10})"')
_NAME = re.compile(r"(?<=[#\"])[^\"'#()\s]*?[0-9a-f]{10}(?=[\"')])")
_DATE = re.compile(r"[ \t]*<dc:date>[^<]*</dc:date>\n?")


def normalise_svg(svg: str) -> str:
    """Return an SVG picture without its date, and with ids that depend on nothing but what it shows.

    Two pictures on one page have no id in common, unless they are the same.
    """
    svg = _DATE.sub("", svg)
    prefixes = {prefix + digits: prefix for prefix, digits in _ID.findall(svg)}
    places = {name: place for place, name in enumerate(prefixes)}
    numbered = _renamed(svg, {name: f"{prefix}{places[name]}" for name, prefix in prefixes.items()})
    salt = _digest(numbered)
    return _renamed(svg, {name: prefix + _digest(f"{salt} {places[name]}")[:10] for name, prefix in prefixes.items()})


def _renamed(svg: str, names: dict[str, str]) -> str:
    return _NAME.sub(lambda match: names.get(match[0], match[0]), svg) if names else svg


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
