"""Describe functions by a text that is the same in every run."""

import hashlib
from functools import partial
from types import MethodType
from typing import Any


def fingerprint(value: Any) -> str:
    """Describe a function by name, code and closure; other objects by content."""
    import joblib

    if isinstance(value, MethodType):
        return f"{fingerprint(value.__self__)}.{fingerprint(value.__func__)}"
    if isinstance(value, partial):
        parts = [value.func, *value.args, *sorted(value.keywords.items())]
        return f"partial({', '.join(map(fingerprint, parts))})"
    if isinstance(value, tuple):
        return f"({', '.join(map(fingerprint, value))})"
    code = getattr(value, "__code__", None)
    if code is None:
        if hasattr(value, "__module__") and hasattr(value, "__qualname__"):
            return f"{value.__module__}.{value.__qualname__}"
        return (
            f"{type(value).__module__}.{type(value).__qualname__} {joblib.hash(value)}"
        )
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    captured = fingerprint((*cells, *(value.__defaults__ or ())))
    digest = hashlib.sha256(f"{_text(code)} {captured}".encode()).hexdigest()[:16]
    return f"{value.__module__}.{value.__qualname__} {digest}"


def _text(code: Any) -> str:
    """Describe a code object independently of its line numbers."""
    constants = [
        _text(part) if hasattr(part, "co_code") else repr(part)
        for part in code.co_consts
    ]
    return f"{code.co_code.hex()} {code.co_names} {constants}"
