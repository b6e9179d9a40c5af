"""The d2lbook dialect: from a page's Markdown to a `Document`, every element with its source lines.

`blocks` tells code cells, tab blocks and prose apart; `marks` and `inline` read what stands inside prose.
Both are tables of small markdown-it-py rules.
"""

from tabbook.dialect.blocks import read_page

__all__ = ["read_page"]
