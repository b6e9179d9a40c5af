"""Build executable textbooks whose cells exist in several frameworks.

A book is a value and a build is a list of steps: sources are read (`tabbook.dialect`), each framework's
cells are executed (`tabbook.execute`), and the outputs are rendered (`tabbook.sphinx_ext`). Execution and
rendering meet in one place only, the store of outputs.
"""

__version__ = "0.1.0"
