"""Texts that several docstrings share, written once."""

import re
from collections.abc import Callable, Mapping
from textwrap import indent
from typing import TypeVar

_Function = TypeVar("_Function", bound=Callable)


def filled(docstring: str, texts: Mapping[str, str]) -> str:
    """Put texts in place of lines such as ``<reading>``, indented as these are."""

    def text(line: re.Match[str]) -> str:
        if line["name"] not in texts:
            return line[0]
        return indent(texts[line["name"]].rstrip("\n"), line["indent"])

    return re.sub("^(?P<indent> *)<(?P<name>.+)>$", text, docstring, flags=re.MULTILINE)


def documented(texts: Mapping[str, str]) -> Callable[[_Function], _Function]:
    """Fill texts into the docstring of a function."""

    def decorate(function: _Function) -> _Function:
        if function.__doc__:  # there is none where Python runs with -OO
            function.__doc__ = filled(function.__doc__, texts)
        return function

    return decorate
