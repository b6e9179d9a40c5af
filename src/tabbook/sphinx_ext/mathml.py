"""Formulas as MathML, made at build time by docutils: no script and no font is fetched by the reader's browser."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml, pick_math_environment
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

__all__ = ["setup"]

_logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def _convert(tex: str, node: nodes.Element, display: bool) -> str:
    if display and pick_math_environment(tex) == "align*":  # it has line breaks of its own
        tex = f"\\begin{{align*}}\n{tex}\n\\end{{align*}}"
    try:
        return str(latex2mathml.tex2mathml(tex, as_block=display))
    except MathError as error:
        _logger.warning("this formula cannot be typeset: %s", error, location=node, type="tabbook", subtype="math")
        return f"<code>{nodes.unescape(tex)}</code>"


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(f'<span class="math">{_convert(node.astext(), node, display=False)}</span>')
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math math-block"))
    self.body.append(_convert(node.astext(), node, display=True))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode
