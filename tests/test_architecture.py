"""The house: who may import whom, and what each file may hold."""

import ast
from pathlib import Path

import pytest

import skcoldstart

PACKAGE = Path(skcoldstart.__file__).parent
ROOMS = {"audio", "codebook", "factorization", "neural", "similarity"}
LAST_ROOMS = {"explanation", "inspection", "persistence", "serving"}
RANK = {
    "_kernels": 0,
    "_utils": 1,
    "_sequences": 2,
    "_scores": 3,
    "metrics": 4,
    "_recommender": 5,
    **dict.fromkeys(ROOMS, 6),
    "compose": 7,
    "model_selection": 8,
    "datasets": 8,
    **dict.fromkeys(LAST_ROOMS, 9),
    "_demonstration": 10,
    "_command": 11,
    "__main__": 12,
}
HOMES = {
    "numba": {"_kernels"},
    "llvmlite": {"_kernels"},
    "torch": {"neural", "factorization", "audio"},
    "skorch": {"neural"},
    "soundfile": {"audio", "datasets"},
    "pyarrow": {"datasets", "serving"},
    "soxr": {"audio"},
    "librosa": {"audio"},
    "safetensors": {"persistence", "serving"},
    "h5py": {"datasets"},
    "onnxruntime": {"audio", "serving"},
    "onnx": {"serving"},
    "skl2onnx": {"serving"},
    "dask": {"factorization", "serving"},
    "distributed": {"factorization", "serving"},
}
HEAVY = (*HOMES, "matplotlib", "pandas", "tqdm")
# Folders of modules that name heavy packages at their top, and are themselves imported
# only when used.
LATE = {PACKAGE / room / "_torch" for room in ("neural", "audio")}
LATE_NAMES = ("skcoldstart.neural._torch", "skcoldstart.audio._torch")
KERNEL_IMPORTS = {
    *("math", "operator", "typing"),
    *("llvmlite", "numba", "numpy", "skcoldstart"),
}
LIMITS = {"_kernels": 250}  # lines of code; docstrings do not count
FILES = sorted(
    p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem != "__init__"
)
IDS = [str(p.relative_to(PACKAGE)) for p in FILES]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def parsed(path):
    return ast.parse(path.read_text("utf-8"))


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield node, node.module


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_run_one_way_and_no_private_name_leaves_its_room(path):
    here = room_of(path)
    for node, name in imports(parsed(path)):
        parts = name.split(".")
        if parts[0] != "skcoldstart" or len(parts) == 1 or parts[1] == here:
            continue
        there = parts[1]
        assert RANK[there] < RANK[here], f"line {node.lineno}: {here} imports {there}"
        if isinstance(node, ast.ImportFrom) and parts[1:] != ["_utils", "sk"]:
            parts += [alias.name for alias in node.names]
        private = [part for part in parts[2:] if part.startswith("_")]
        assert not private, f"line {node.lineno}: {name}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_heavy_packages_have_one_home_and_load_when_used(path):
    tree = parsed(path)
    top_level = {id(node) for node in tree.body}
    for node, name in imports(tree):
        root = name.split(".")[0]
        if root in HOMES:
            assert room_of(path) in HOMES[root], f"line {node.lineno}: {root}"
        if path.parent in LATE or id(node) not in top_level:
            continue
        if root in HEAVY and root != "numba":
            assert room_of(path) == "_kernels", (
                f"line {node.lineno}: {root} is imported before it is used"
            )
        assert not name.startswith(LATE_NAMES), (
            f"line {node.lineno}: {name} is imported before it is used"
        )


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_private_names_of_scikit_learn_come_through_one_door(path):
    if path.relative_to(PACKAGE).parts == ("_utils", "sk.py"):
        return
    for node, name in imports(parsed(path)):
        if name.split(".")[0] == "sklearn":
            parts = [*name.split("."), *(alias.name for alias in node.names)]
            private = [part for part in parts if part[0] == "_"]
            assert not private, f"line {node.lineno}: {private}"


def n_code_lines(path):
    """Count lines that are neither blank nor comment nor docstring."""
    prose = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            if ast.get_docstring(node) is not None:
                prose |= {*range(node.body[0].lineno, node.body[0].end_lineno + 1)}
    return sum(
        bool(line.strip()) and line.strip()[0] != "#" and number not in prose
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
    )


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_files_stay_small(path):
    assert n_code_lines(path) <= LIMITS.get(room_of(path), 350)


def test_every_kernel_is_arrays_in_arrays_out():
    for path in (PACKAGE / "_kernels").rglob("*.py"):
        if path.stem in {"compilation", "__init__"}:  # doors: files, environment
            continue
        for _, name in imports(parsed(path)):
            root = name.split(".")[0]
            assert root in KERNEL_IMPORTS, f"{path.name} imports {name}"
