"""The command line: ``python -m skcoldstart``."""

from skcoldstart._command._main import main

__all__ = ["main"]
