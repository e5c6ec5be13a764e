"""What the documentation promises: every public name explained, every name real."""

import importlib
import inspect
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import skcoldstart

REASON = "docstrings are validated with numpydoc: pip install .[test]"
validate = pytest.importorskip("numpydoc.validate", reason=REASON).validate
parsed = pytest.importorskip("numpydoc.docscrape").get_doc_object
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst"), ROOT / "README.md"])
MODULES = ["skcoldstart"] + [
    f"skcoldstart.{name}"
    for name in skcoldstart.__all__
    if name in skcoldstart._SUBPACKAGES
]
EXAMPLE_LINES = 12
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
LEFT_OUT = SETTINGS["numpydoc_validation"]["checks"]


def public_objects():
    """Yield every public value under the name a user imports."""
    seen = set()
    for module_name in reversed(MODULES):
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.ismodule(value) or isinstance(value, str) or id(value) in seen:
                continue
            seen.add(id(value))
            yield f"{module_name}.{name}", value


def public_members(cls):
    """Yield names of methods and properties that this package gives to a class."""
    for name in dir(cls):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(cls, name)
        function = member.fget if isinstance(member, property) else member
        function = getattr(function, "__func__", function)
        home = getattr(function, "__module__", "")
        if inspect.isfunction(function) and home.startswith("skcoldstart"):
            yield name


PUBLIC = dict(public_objects())
OBJECTS = {
    name: value
    for name, value in PUBLIC.items()
    if inspect.isclass(value) or inspect.isroutine(value)
}
CLASSES = {name: value for name, value in OBJECTS.items() if inspect.isclass(value)}
ESTIMATORS = {
    name: value for name, value in CLASSES.items() if issubclass(value, BaseEstimator)
}
DOCUMENTED = [
    *OBJECTS,
    *(
        f"{name}.{member}"
        for name, cls in CLASSES.items()
        for member in public_members(cls)
    ),
]


def test_the_search_for_public_names_finds_them():
    estimators = {name.rpartition(".")[2] for name in ESTIMATORS}
    assert {"ColdStartRecommender", "RandomRecommender"} <= estimators
    promised = set(skcoldstart._HOME) - {name.rpartition(".")[2] for name in PUBLIC}
    assert not promised


@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstring_passes_numpydoc(name):
    assert LEFT_OUT[0] == "all"  # but those that follow
    found = validate(name)["errors"]
    errors = [f"{code}: {text}" for code, text in found if code not in LEFT_OUT]
    assert not errors, "\n".join([name, *errors])


@pytest.mark.parametrize("name", OBJECTS)
def test_every_default_is_documented_as_it_is(name):
    documented = {
        part.strip(): parameter.type
        for parameter in parsed(OBJECTS[name])["Parameters"]
        for part in parameter.name.split(",")
    }
    for parameter in inspect.signature(OBJECTS[name]).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            continue
        assert parameter.name in documented, f"{parameter.name} is missing"
        text = documented[parameter.name]
        stated = re.search(r"default=(.+)$", text)
        assert stated, f"{parameter.name} has no default= in {text!r}"
        names = {name.rpartition(".")[2]: value for name, value in PUBLIC.items()}
        value = eval(stated[1], {"np": np} | names)
        assert value is parameter.default or value == parameter.default, (
            f"{parameter.name} is {parameter.default!r}, documented {text!r}"
        )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_has_a_short_example(name):
    lines = [line.strip() for line in parsed(ESTIMATORS[name])["Examples"]]
    code = [line for line in lines if line.startswith((">>>", "..."))]
    assert 0 < len(code) <= EXAMPLE_LINES


@pytest.mark.parametrize("name", OBJECTS)
def test_every_public_object_says_since_when(name):
    assert ".. versionadded::" in (OBJECTS[name].__doc__ or "")


def test_every_public_name_is_in_the_api_reference():
    listed = set(
        re.findall(
            r"^ {3}(?:\w+\.)*(\w+)$", (DOCS / "api.rst").read_text("utf-8"), re.M
        )
    )
    public = {name.rpartition(".")[2] for name in PUBLIC}
    assert sorted(public - listed) == [], "public, but not in docs/api.rst"
    assert sorted(listed - public) == [], "in docs/api.rst, but not public"


def resolves(dotted):
    """Return whether a dotted name leads somewhere, through modules and attributes."""
    head, *rest = dotted.split(".")
    value = importlib.import_module(head)
    for part in rest:
        if not hasattr(value, part):
            try:
                importlib.import_module(f"{value.__name__}.{part}")
            except (ImportError, AttributeError):
                # Fitted attributes exist only on a fitted estimator.
                return part.endswith("_")
        value = getattr(value, part)
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_names_used_in_the_documentation_exist(page):
    text = page.read_text("utf-8")
    dotted = set(re.findall(r"\bskcoldstart(?:\.[A-Za-z]\w*)+", text))
    for module, names in re.findall(
        r"from (skcoldstart[\w.]*) import (\([^)]*\)|[^\n]*)", text
    ):
        names = re.sub(r"^\s*\.\.\.", "", names.strip("()"), flags=re.M)
        dotted |= {
            f"{module}.{name.strip()}" for name in names.split(",") if name.strip()
        }
    unknown = sorted(name for name in dotted if not resolves(name))
    assert not unknown


@pytest.mark.slow
def test_python_in_readme_runs(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert blocks
    monkeypatch.chdir(tmp_path)
    for number, block in enumerate(blocks):
        exec(compile(block, f"README.md, block {number}", "exec"), {})


def test_readme_holds_each_command_once_below_its_marker():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    for name in ("demonstration", "tests"):
        at = lines.index(f"<!-- command: {name} -->")
        assert lines[at + 1].startswith("```")
        assert lines[at + 2].startswith("python3 -m venv .venv && ")
        assert lines[at + 3] == "```"


def test_documentation_names_no_folder_of_one_machine():
    for page in [*PAGES, *DOCS.glob("examples/*.py"), ROOT / "CHANGES.md"]:
        found = re.findall(
            r"(?<![\w.])/(?:home|opt|root|Users|work|tmp)/\S*", page.read_text("utf-8")
        )
        assert not found, f"{page.name}: {found}"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_shared_texts_are_filled_in(name):
    home, _, member = name.rpartition(".")
    value = PUBLIC[name] if name in PUBLIC else getattr(PUBLIC[home], member)
    value = value.fget if isinstance(value, property) else value
    assert not re.search(
        "^ *<[a-z ]+>$", inspect.getdoc(value) or "", flags=re.MULTILINE
    )
