"""The page of a taste map: what it holds, escaped, whole or not at all."""

import base64
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest

from skcoldstart.inspection import TasteMapDisplay
from skcoldstart.inspection._page import clip_url, json_for_html

NASTY = [
    "</script><script>window.bad = 1</script>",
    "<!-- <script>",
    "\"double\" 'single' \\back\\",
    "line\u2028and\u2029paragraph",
    "naïve 音楽 🎵 عربي",
    "{{DATA}} {{SCRIPT}} $& \\1",
    "&lt;b&gt; & &amp;",
    "]]> <img src=x onerror=bad()>",
]


class Page(HTMLParser):
    """Scripts, styles, text and attributes, as a browser finds them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.tags, self._inside = {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag + (
            "/data" if dict(attributes).get("type") == "application/json" else ""
        )

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, text):
        if self._inside:
            self.found.setdefault(self._inside, []).append(text)

    @property
    def data(self):
        return json.loads("".join(self.found["script/data"]))


def page_of(display, path, **options):
    display.write_html(path, **options)
    return Page(path.read_text("utf-8"))


@pytest.fixture
def nasty_page(tmp_path):
    points = np.random.default_rng(0).normal(size=(len(NASTY), 2))
    return page_of(
        TasteMapDisplay(points, names=NASTY, labels=NASTY),
        tmp_path / "map.html",
        title=NASTY[0],
        details={NASTY[2]: NASTY},
        audio=[f"clips/{i} #?%20&<>\"'.wav" for i in range(len(NASTY))],
    )


def test_texts_come_back_as_they_went_in(nasty_page):
    data = nasty_page.data
    cleaned = [" ".join(text.split()) for text in NASTY]
    assert data["names"] == cleaned
    assert [data["styles"][s]["label"] for s in data["style"]] == cleaned
    assert data["details"] == {NASTY[2]: cleaned}
    assert nasty_page.found["title"] == [NASTY[0]]
    assert nasty_page.found["h1"] == [NASTY[0]]


def test_texts_never_become_markup_and_nothing_is_loaded(nasty_page):
    tags = [tag for tag, _ in nasty_page.tags]
    assert tags.count("script") == 2
    assert "img" not in tags and "b" not in tags
    names = {name for _, attributes in nasty_page.tags for name in attributes}
    assert not any(name.startswith("on") for name in names)
    assert not names & {"src", "href"}
    assert "innerHTML" not in nasty_page.found["script"][0]


def test_policy_allows_only_the_programme_and_the_style_of_the_page(nasty_page):
    policy = next(
        attributes["content"]
        for _, attributes in nasty_page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("script", "style"):
        text = "".join(nasty_page.found[kind]).encode()
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


def test_page_names_no_address(nasty_page, tmp_path):
    text = (tmp_path / "map.html").read_text("utf-8")
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)


def test_positions_keep_their_proportions_with_y_upwards(tmp_path):
    points = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [np.nan, 1.0]])
    display = TasteMapDisplay(points, names=list("abcd"))
    data = page_of(display, tmp_path / "map.html").data
    assert data["names"] == ["a", "b", "c"]
    assert data["x"] == [0, 100_000, 100_000]
    assert data["y"] == [75_000, 75_000, 25_000]
    assert data["audio"] is None


@pytest.mark.parametrize("container", [list, pd.Series, tuple])
def test_reasons_and_moments_come_in_any_sequence(container, tmp_path):
    lists = {
        "reasons": container([["a", "b"], None, np.array(["c"])]),
        "moments": container([np.array([[0.0, 1.0, 9.0]]), None, []]),
    }
    display = TasteMapDisplay(np.eye(3, 2))
    details = pd.DataFrame({"year": [1, 2, 3]})
    data = page_of(display, tmp_path / "map.html", details=details, **lists).data
    assert data["details"] == {"year": ["1", "2", "3"]}
    assert data["reasons"] == [["a", "b"], [], ["c"]]
    assert data["moments"] == [[[0.0, 1.0]], [], []]
    with pytest.raises(ValueError, match="reasons has 0 entries; expected 3"):
        display.write_html(tmp_path / "map.html", reasons=container([]))


def test_links_to_clips_are_relative_and_find_the_file(tmp_path):
    page = tmp_path / "pages"
    for name in ("a b.wav", "ü#1?.wav", "100%.wav", "javascript:alert(1)", "-x'\".mp3"):
        link = clip_url(tmp_path / "clips" / name, page)
        assert link.startswith("./../clips/")
        parts = urlsplit(link)
        assert not parts.scheme and not parts.netloc and not parts.query
        assert (page / unquote(parts.path)).resolve() == tmp_path / "clips" / name
    assert clip_url("javascript:alert(1)", Path.cwd()).startswith("./")
    assert [clip_url(nothing, page) for nothing in (None, "", np.nan)] == [None] * 3


def test_a_file_name_that_is_no_text_has_a_link(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    assert clip_url(tmp_path / name, tmp_path) == "./caf%E9.wav"
    assert json.loads(json_for_html([name])) == ["caf?.wav"]


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "map.html"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk"):
        TasteMapDisplay(np.eye(3, 2)).write_html(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["map.html"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"audio": ["a"]}, ValueError, r"audio has shape \(1,\); expected \(3,\)"),
        ({"details": {"x": [1]}}, ValueError, r"details\['x'\] has shape \(1,\)"),
        ({"reasons": [["a"]]}, ValueError, "reasons has 1 entries; expected 3"),
        ({"reasons": ["a", "b", "c"]}, TypeError, "reasons is a single text for an it"),
        *(
            ({"moments": [[w], None, None]}, ValueError, "expected 0 <= start < end")
            for w in ((2.0, 1.0), (-1.0, 1.0), (0.0, np.nan))
        ),
        ({"points": np.full((3, 2), np.nan)}, ValueError, "nothing to show"),
    ],
)
def test_what_does_not_fit_is_said(options, error, message, tmp_path):
    options = {"points": np.eye(3, 2)} | options
    display = TasteMapDisplay(options.pop("points"))
    with pytest.raises(error, match=message):
        display.write_html(tmp_path / "m.html", **options)
    assert not os.listdir(tmp_path)
