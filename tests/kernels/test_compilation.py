"""Compiled code on disk: a convenience, never a condition and never wrong."""

import ast
import importlib.util
import subprocess
import sys
import warnings
from itertools import product
from pathlib import Path

import numba
import numpy as np
import pytest

from skcoldstart import _kernels
from skcoldstart._kernels import compilation

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder of its own, in a process that has not warned yet."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compilation, "_warned", [])
    return tmp_path


def kernel_of(folder, text="def double(x):\n    return 2 * x\n"):
    """Return a kernel of a file, compiled as by a process that has just begun."""
    path = folder / "a_kernel.py"
    path.write_text(text)
    compilation._stamp.cache_clear()
    spec = importlib.util.spec_from_file_location("a_kernel", path)
    sys.modules["a_kernel"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return compilation.njit(cache=True)(module.double)


def files(folder, ending):
    return sorted((folder / "cache").rglob(f"*.{ending}"))


def hits(kernel):
    return sum(kernel.stats.cache_hits.values())


def test_code_is_read_again_without_a_word(folder, recwarn):
    assert kernel_of(folder)(3) == 6
    again = kernel_of(folder)
    assert again(4) == 8
    assert hits(again) == 1
    assert not recwarn


def cut(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("ending", "damage", "how"),
    [*product(("nbi", "nbc"), [cut], (0, 100)), ("nbc", flip, 0.5)],
)
def test_damaged_code_is_compiled_anew_with_one_warning(folder, ending, damage, how):
    first = kernel_of(folder)
    assert (first(3), first(0.5)) == (6, 1.0)
    for path in files(folder, ending):
        damage(path, how)
    again = kernel_of(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert (again(3), again(0.5)) == (6, 1.0)
    assert len(caught) == 1
    assert "compiled again" in str(caught[0].message)
    healed = kernel_of(folder)
    assert (healed(3), healed(0.5)) == (6, 1.0)
    assert hits(healed) == 2


@pytest.mark.slow
def test_a_damaged_index_never_gives_another_result(folder, recwarn):
    for place in np.linspace(0, 0.99, 12):
        for value in (3, 0.5):
            assert kernel_of(folder)(value) == 2 * value
        for path in files(folder, "nbi"):
            flip(path, place)
        for value in (3, 0.5):
            assert kernel_of(folder)(value) == 2 * value
    assert len(recwarn) <= 1


def test_code_of_other_types_is_never_taken_for_that_of_these(folder):
    first = kernel_of(folder)
    first(3), first(0.5)
    one, two = files(folder, "nbc")
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    with pytest.warns(UserWarning, match="checksum"):
        assert kernel_of(folder)(0.5) == 1.0


def test_files_that_cannot_be_replaced_are_done_without(folder):
    kernel_of(folder)(3)
    for path in files(folder, "nbi"):
        path.unlink()
        path.mkdir()
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR") as caught:
        assert kernel_of(folder)(3) == 6
    assert len(caught) == 1


def test_folders_that_cannot_be_written_are_done_without(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.warns(UserWarning, match="no locator available") as caught:
        assert kernel_of(folder)(3) == 6
        assert kernel_of(folder)(4) == 8
    assert len(caught) == 1


def test_code_is_compiled_anew_when_a_kernel_inside_it_has_changed(folder, monkeypatch):
    text = (
        "from skcoldstart._kernels.codewords import squared_distance\n\n\n"
        "def double(x):\n    return squared_distance(x, 0, x, 1)\n"
    )
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    assert kernel_of(folder, text)(x) == 13
    read = compilation._source
    monkeypatch.setattr(
        compilation,
        "_source",
        lambda module: read(module) + "# changed" * module.endswith("codewords"),
    )
    changed = kernel_of(folder, text)
    changed(x)
    assert hits(changed) == 0


FORKS = """
import os, signal, threading, time
import numpy as np
from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.codewords import squared_distance

def double(x):
    return 2 * x

def compile_for_ever():
    while True:
        njit(double)(3)

x = np.ones((2, 2))
squared_distance(x, 0, x, 1)
threading.Thread(target=compile_for_ever, daemon=True).start()
for _ in range(20):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        signal.alarm(600)
        os._exit(njit(double)(4) - 8)
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX forks")
def test_a_child_forked_while_another_thread_compiles_compiles_too():
    subprocess.run([sys.executable, "-c", FORKS], check=True, timeout=1800)


@pytest.mark.parametrize("path", sorted(Path(_kernels.__path__[0]).rglob("*.py")))
def test_every_kernel_is_compiled_through_one_door(path):
    if path.stem == "compilation":
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "numba":
            assert not {alias.name for alias in node.names} & {"njit", "jit"}
        elif isinstance(node, ast.Import):
            assert "numba" not in {alias.name for alias in node.names}
