"""Every option of config.ini, declared once: section, name, default, meaning.

The first sections are d2lbook's and mean what they mean there; the last ones are ours, in sections that d2lbook
does not read.
"""

from __future__ import annotations

__all__ = ["OPTIONS", "PREFIXES"]

OPTIONS: dict[str, dict[str, str]] = {
    "project": {
        "name": "book",
        "title": "",
        "author": "",
        "copyright": "",
        "release": "",
        "lang": "en",
    },
    "translation": {"origin_repo": "", "origin_lang": "", "translator": "", "terminology": ""},
    "build": {
        "index": "index",
        "notebooks": "**/*.md",
        "rsts": "",
        "non-notebooks": "",
        "exclusions": "",
        "dependencies": "",
        "resources": "",
        "eval_notebook": "True",
        "source_dir": ".",
        "output_dir": "_build",
        "html_dir": "",
        "warning_is_error": "False",
        "sphinx_extensions": "",
        "sphinx_configs": "",
        "tabs": "",
        "origin_repo": "",
    },
    "html": {"header_links": "", "favicon": "", "html_logo": "", "include_css": "", "include_js": ""},
    "pdf": {
        "main_font": "",
        "sans_font": "",
        "mono_font": "",
        "post_latex": "",
        "latex_logo": "",
        "bibfile": "",
        "latex_url": "",
        "style": "",
    },
    "library": {
        "save_filename": "",
        "save_mark": "",
        "save_patterns": "",
        "version": "",
        "version_file": "",
        "root_dir": "",
    },
    "deploy": {"google_analytics_tracking_id": "", "github_repo": "", "s3_bucket": "", "other_file_s3urls": ""},
    "colab": {
        "github_repo": "",
        "exclusions": "*.html **/index.html",
        "libs": "",
        "libs_header": "",
        "gpu_pattern": "gpu",
        "replace_svg_url": "",
    },
    "sagemaker": {"github_repo": "", "kernel": "conda_python3", "libs": "", "libs_header": ""},
    "slides": {"top_left": "", "top_right": "", "github_repo": ""},
    "tabbook": {
        "cell_timeout": "600",  # seconds that one cell may take
        "workers": "0",  # notebooks executed at a time; 0: one a core
        "memory": "0",  # GiB that one notebook may use; 0: the machine's memory, shared among the workers
        "seed": "0",  # what random generators start from in every notebook
        "library": "src/d2l",  # the companion library's package; its digest is part of a notebook's key
        "source_url": "",  # where a line of the library can be read: an address with {path} and {line}
        "register": "",  # of a Japanese book: da (である), masu (です・ます); empty: what most sentences have
        "data": "",  # files that cells read, as globs relative to the project; part of a notebook's key
    },
}

PREFIXES: dict[str, dict[str, str]] = {
    "library-": {
        "lib_file": "",
        "lib_name": "",
        "simple_alias": "",
        "fluent_alias": "",
        "args_alias": "",
        "alias": "",
        "reverse_alias": "",
    },
    "framework-": {
        "title": "",  # what readers see
        "requirements": "",  # pinned packages of its environment, relative to the project
        "packages": "",  # whose versions readers are told, the framework's own first
        "fork": "yes",  # no: every notebook gets a new process
        "imports": "",  # statements, one a line, made once before kernels are forked; no thread, no device
        "check": "",  # code that proves, in a first forked child, that forking is safe
        "module": "",  # its module in the companion library (default: its own name)
        "seed": "",  # code run before the first cell; {seed} is replaced
        "environ": "",  # NAME=value a line, for its kernels; {cache} is a folder that stays from build to build
        "noise": "",  # a regular expression a line; matching lines of output are not shown
    },
}
"""Sections with a name behind the hyphen: one a tab."""
