"""Sphinx's configuration: everything comes from config.ini beside this file."""

from pathlib import Path

from tabbook.sphinx_ext.settings import sphinx_settings

globals().update(sphinx_settings(Path(__file__).parent))
