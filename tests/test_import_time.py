"""Importing the package costs next to nothing, and its table of names is true."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import skcoldstart

HEAVY = ["sklearn", "numba", "scipy", "torch", "skorch", "librosa", "soundfile", "soxr"]


def modules_after(statement):
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_loads_nothing_heavy():
    assert not modules_after("import skcoldstart") & {*HEAVY, "numpy"}


@pytest.mark.slow
def test_estimators_load_neither_numba_nor_audio_nor_torch_until_used():
    names = [n for n in skcoldstart.__all__ if n[0].isupper()]
    names.remove("RaggedArray")
    # A parameter without a default is a list of estimators.
    made = ", ".join(f"s.{name}({_required(name)})" for name in names)
    statement = f"import skcoldstart as s; [{made}]"
    heavy = {"numba", "torch", "skorch", "librosa", "soundfile", "soxr", "matplotlib"}
    assert not modules_after(statement) & heavy


def _required(name):
    parameters = inspect.signature(getattr(skcoldstart, name)).parameters.values()
    return ", ".join("[]" for p in parameters if p.default is p.empty)


def test_every_public_name_can_be_had():
    for name in skcoldstart.__all__:
        assert getattr(skcoldstart, name) is not None
    assert set(skcoldstart.__all__) <= set(dir(skcoldstart))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'WFM'"):
        _ = skcoldstart.WFM


def test_the_stub_lists_exactly_the_public_names():
    stub = Path(skcoldstart.__file__).with_suffix(".pyi").read_text("utf-8")
    listed = set()
    for node in ast.parse(stub).body:
        if isinstance(node, ast.ImportFrom):
            listed |= {alias.asname for alias in node.names}
        elif isinstance(node, ast.AnnAssign):
            listed.add(node.target.id)
    assert listed - {"__all__"} == set(skcoldstart.__all__)


def test_subpackages_list_what_they_offer():
    for name in ("audio", "codebook", "compose", "factorization", "metrics"):
        package = getattr(skcoldstart, name)
        in_order = sorted(package.__all__, key=lambda name: (not name.isupper(), name))
        assert in_order == list(package.__all__)
        assert all(hasattr(package, public) for public in package.__all__)
