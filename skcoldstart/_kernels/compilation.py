"""The only module that imports numba: compilation and caching of kernels.

The cache of compiled code is optional. If its folder is not writable, or a file in it
is damaged, kernels are compiled again, with one warning per process.
"""

import functools
import hashlib
import importlib.util
import os
import pickle
import re
import warnings
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler_lock import global_compiler_lock
from numba.core.serialize import dumps

COMPILES = not numba.config.DISABLE_JIT
N_THREADS = numba.config.NUMBA_NUM_THREADS  # at the start of numba

_KERNELS = __name__.rpartition(".")[0]
_warned: list[bool] = []


def njit(function=None, *, cache=False, **options):
    """Compile like `numba.njit`, with a cache whose errors are not fatal."""
    if function is None:
        return functools.partial(njit, cache=cache, **options)
    compiled = numba.njit(**options)(function)
    if cache and COMPILES:
        try:
            compiled._cache = _CheckedCache(function)
        except (RuntimeError, OSError) as error:  # no writeable folder
            _warn_of_cache(error)
    return compiled


class _CheckedCache(FunctionCache):
    """Compiled code on disk, with a checksum of each entry and of all its sources."""

    def __init__(self, function):
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(
            self._cache_path, self._impl.filename_base, _stamp(function.__module__)
        )

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # damaged pickles raise any exception
            _warn_of_cache(error)
            self._try(self.flush)
        return None

    def save_overload(self, sig, data):
        self._try(super().save_overload, sig, data)

    def _load_overload(self, sig, target_context):
        key = self._index_key(sig, target_context.codegen())
        entry = self._cache_file.load(key) if self._enabled else None
        if entry is None:
            return None
        checksum, reduced = entry
        if checksum != _checksum(key, reduced):
            raise ValueError(f"the checksum of {self._impl.filename_base} differs")
        return self._impl.rebuild(target_context, pickle.loads(reduced))

    def _save_overload(self, sig, data):
        if self._enabled and self._impl.check_cachable(data):
            key = self._index_key(sig, data.codegen)
            reduced = dumps(self._impl.reduce(data))
            self._cache_file.save(key, (_checksum(key, reduced), reduced))

    def _try(self, write, *args):
        try:
            write(*args)
        except Exception as error:
            self.disable()
            _warn_of_cache(error)


def _checksum(key, reduced):
    return hashlib.sha256(repr(key).encode() + reduced).digest()


@functools.cache
def _stamp(name):
    """Return a checksum of a kernel file and of the files it imports.

    Numba checks only the file itself: code inlined from a changed file would remain.
    """
    names, text = [name], ""
    for module in names:
        source = _source(module)
        text += source
        found = re.findall(rf"^\s*from ({re.escape(_KERNELS)}\S*) import", source, re.M)
        names += [other for other in dict.fromkeys(found) if other not in names]
    return hashlib.sha256(text.encode()).hexdigest()


def _source(module):
    """Return the source of a module, without running it."""
    loader: Any = getattr(importlib.util.find_spec(module), "loader", None)
    return loader.get_source(module)


def _warn_of_cache(error):
    """Warn that kernels are compiled again, once per process."""
    if not _warned:
        _warned.append(True)
        warnings.warn(
            f"Compiled code could not be written to or read from the cache "
            f"({type(error).__name__}: {error}); it is compiled again, which takes "
            f"some seconds in each process. Set NUMBA_CACHE_DIR to a folder that can "
            "be written, or delete the damaged files in the one in use.",
            UserWarning,
            stacklevel=3,
        )


# A child forked while another thread compiles would wait forever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
