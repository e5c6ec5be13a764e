"""Names of every kind on every display: readable, and without a warning."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from skcoldstart.inspection import (
    FactorExtremesDisplay,
    SimilarItemsTable,
    SpectrogramDisplay,
    TasteMapDisplay,
)
from skcoldstart.inspection._factors import check_texts
from skcoldstart.inspection._style import Lettering, readable

STIX = font_manager.findfont("STIXGeneral")
V = np.random.default_rng(0).normal(size=(8, 2))
NOT_UTF8 = os.fsdecode(b"caf\xe9.wav")
NAMES = [
    *(
        NOT_UTF8,
        "\ud800 alone",
        "\ud83c\udfb5 in two halves",
        "音楽 한국어 ไทย عربي 🎵",
    ),
    *("e\u0301\ufe0f\u200d tab\tend\nline", "$x$ {y} \\z", "", "x" * 5000),
]


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_names_become_one_line_of_unicode():
    assert readable(NOT_UTF8) == "caf�.wav"
    assert readable("\ud800 alone") == "� alone"
    assert readable("\ud83c\udfb5\n two  halves") == "🎵 two halves"
    given = [None, np.nan, pd.NA, pd.NaT, b"caf\xe9", Path("a") / "b", 5, "é"]
    expected = ["", "", "", "", "caf�", str(Path("a") / "b"), "5", "é"]
    assert check_texts(given, 8, input_name="names").tolist() == expected


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_names_of_every_kind_are_drawn_without_a_warning(suffix, tmp_path):
    display = TasteMapDisplay(V, names=NAMES, labels=NAMES)
    display.plot(closeups=[0], closeup_items=8)
    display.figure_.savefig(tmp_path / f"map.{suffix}")
    drawn = [text.get_text() for text in display.closeups_[0].texts]
    display = FactorExtremesDisplay.from_factors(V, NAMES, n=4).plot()
    display.figure_.savefig(tmp_path / f"extremes.{suffix}")
    for texts in (drawn, [text.get_text() for text in display.ax_[0].texts]):
        assert {r"\$x\$ {y} \z", "� alone"} <= set(texts)


def test_names_of_every_kind_are_printed_and_written(tmp_path):
    table = SimilarItemsTable.from_factors(V, None, V, queries=[0], names=NAMES)
    for text in (repr(table), table._repr_html_()):
        assert "caf�.wav" in text
        text.encode("utf-8")
    display = TasteMapDisplay(V, names=NAMES, labels=NAMES)
    display.write_html(
        tmp_path / "map.html",
        title=NOT_UTF8,
        details={NOT_UTF8: NAMES},
        audio=[NOT_UTF8, None, pd.NA, np.nan, "", "a.wav", Path("b.wav"), b"c\xe9"],
    )
    page = (tmp_path / "map.html").read_text("utf-8")
    assert page.count("caf�.wav") >= 4 and "caf%E9.wav" in page


def test_characters_that_one_font_lacks_come_from_another():
    own, other = (
        FT2Font(font_manager.findfont(name)).get_charmap()
        for name in ("DejaVu Sans", "STIXGeneral")
    )
    character = chr(max(other.keys() - own.keys()))
    lettering = Lettering.of([character, "plain"])
    assert len(lettering.families) == 2
    assert lettering.drawn(character) == character
    assert Lettering.of(["plain"]).families == ["sans-serif"]


@pytest.mark.parametrize(
    ("installed", "text", "drawn"),
    [([STIX], "\u1d84", "\u1d84"), ([], "音\x07a\ufe0f", "□a\ufe0f")],
)
def test_fonts_installed_after_the_font_cache_are_found_or_boxes_drawn(
    installed, text, drawn, monkeypatch
):
    manager = font_manager.fontManager
    own = [font for font in manager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(manager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: installed)
    lettering = Lettering.of([text])
    families = ["sans-serif", "STIXGeneral"] if installed else ["sans-serif"]
    assert lettering.families == families
    # A font may have the mark at the end of the last text, or not.
    assert lettering.drawn(text) in (drawn, drawn.rstrip("\ufe0f"))


def test_missing_numbers_are_named_by_their_place():
    holed = V.copy()
    holed[3, 1] = np.nan
    for draw in (
        lambda: TasteMapDisplay.from_factors(holed, V),
        lambda: TasteMapDisplay.from_factors(V, holed),
        lambda: FactorExtremesDisplay.from_factors(holed),
        lambda: SimilarItemsTable.from_factors(V, holed, V, queries=0),
        lambda: SpectrogramDisplay(holed).plot(),
    ):
        with pytest.raises(ValueError, match="The first is in row 3, column 1"):
            draw()
