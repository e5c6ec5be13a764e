"""Warnings that name the user's line."""

import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn

import skcoldstart

_LIBRARIES = tuple(
    str(Path(str(module.__file__)).parent) + os.sep
    for module in (skcoldstart, sklearn, joblib)
)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost call from outside this package, scikit-learn and joblib."""
    # TODO(Python 3.12): skip_file_prefixes of warnings.warn.
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(_LIBRARIES):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
