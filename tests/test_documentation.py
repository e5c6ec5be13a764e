"""The documentation answers first questions in two clicks or one search."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(
    not DOCS.is_dir(), reason="the documentation is not part of an installed package"
)
# Question: a word to search for, the page with the answer, and what the answer names.
QUESTIONS = {
    "my log is parquet": ("parquet", "guide/catalogue", "plays_from_events"),
    "I have embeddings": ("embeddings", "guide/ears", "Use your own embeddings"),
    "m4a": ("m4a", "guide/audio", r"skcoldstart\[av\]"),
    "who should hear this song": ("who should hear", "guide/serving", "listeners"),
    "explain": ("explain", "guide/explaining", "skcoldstart.explain"),
    "new users": ("new users", "guide/serving", "fold_in_users"),
    "serve it": ("serve it", "guide/serving", "FastAPI"),
    "how good is it": ("how good is it", "guide/evaluation", "recommendation_scorer"),
    "pandas": ("pandas", "guide/catalogue", "data frame"),
    "ColumnTransformer": ("ColumnTransformer", "guide/catalogue", "metadata"),
    "uncertainty": ("uncertainty", "guide/uncertainty", "return_std"),
    "GPU": ("GPU", "guide/network", "device"),
    "Dask": ("Dask", "guide/scale_out", "parallel_config"),
    "ONNX": ("ONNX", "guide/serving", "to_onnx"),
}


def read(page):
    return (DOCS / f"{page}.rst").read_text(encoding="utf-8")


@pytest.mark.parametrize("question", QUESTIONS)
def test_question_is_answered_in_two_clicks_or_one_search(question):
    word, page, answer = QUESTIONS[question]
    text = read(page)
    entries = ", ".join(re.findall(r"^\.\. index:: (.*)$", text, re.MULTILINE))
    assert word.lower() in entries.lower()
    assert re.search(answer, text)
    on_home = set(re.findall(r":link: (\S+)", read("index")))
    in_guide = {
        f"guide/{name}" for name in re.findall(r":doc:`(\w+)`", read("guide/index"))
    }
    assert page in on_home | in_guide


def test_guide_lists_every_page_with_one_sentence():
    listed = re.findall(r"^:doc:`(\w+)`\n   (.+)$", read("guide/index"), re.MULTILINE)
    pages = {path.stem for path in (DOCS / "guide").glob("*.rst")} - {"index"}
    assert {name for name, _ in listed} == pages
    assert all(sentence.endswith(".") for _, sentence in listed)
