"""The page of a taste map in headless Chromium: a person's ways through it."""

import numpy as np
import pytest

from skcoldstart.datasets import make_music_catalog
from skcoldstart.inspection import TasteMapDisplay
from tests.inspection.browser import Browser, needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]
MIDDLE = 'document.getElementById("stage").getBoundingClientRect()'


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, tmp_path):
    """Twelve songs on a ring, the first with a clip, opened in the browser."""
    catalog = make_music_catalog(
        tmp_path / "clips #1", n_songs=2, n_artists=2, n_genres=2, n_users=2,
        duration_s=1, random_state=0,
    )  # fmt: skip
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    names = [f"song {i}" for i in range(10)] + ["Björk – Jóga", "</script><b>x"]
    TasteMapDisplay(
        np.column_stack([np.cos(angle), np.sin(angle)]),
        names=names,
        labels=["rock", "pop", "jazz"] * 4,
    ).write_html(
        tmp_path / "map.html",
        title="Ring",
        audio=[catalog.paths[0], "missing.wav"] + [None] * 10,
        details={"year": list(range(1990, 2002))},
        reasons=[["song 3", "<b>Ada</b>", "song 7"], ["song 2"], None] + [[]] * 9,
        moments=[[(0.25, 0.5, 7.0), (0.75, 1.0)], [(3.0, 65.0)]] + [None] * 10,
    )
    browser.look((1200, 800))
    browser.events.clear()
    browser.open(tmp_path / "map.html")
    yield browser
    assert not browser.complaints()
    # data: is what the browser draws its own player with.
    assert all(url.startswith(("file:", "data:")) for url in browser.requests())


def text_of(page, name):
    return page.run(f'document.getElementById("{name}").textContent')


def middle(page):
    return page.run(
        f"[{MIDDLE}.x + {MIDDLE}.width / 2, {MIDDLE}.y + {MIDDLE}.height / 2]"
    )


def search(page, text):
    page.run("""{
      const field = document.getElementById("search");
      field.focus();
      field.value = "";
      field.dispatchEvent(new Event("input"));
    }""")
    page.write(text)


def choose(page, number=0):
    page.run(f'document.querySelectorAll("#found button")[{number}].click()')
    page.frame()


def test_all_items_are_drawn_at_first(page):
    assert text_of(page, "status") == "12 of 12 shown"
    assert page.run("stage.dataset.inView") == "12"
    colours = page.run("""(() => {
      const c = document.getElementById("dots");
      const p = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
      const seen = new Set();
      for (let k = 0; k < p.length; k += 4)
        seen.add(p[k] << 16 | p[k + 1] << 8 | p[k + 2]);
      return [0x0072B2, 0xD55E00, 0x009E73].map(v => seen.has(v));
    })()""")
    assert colours == [True, True, True]


def test_search_finds_names_without_accents_and_details(page):
    search(page, "bjork joga")
    assert text_of(page, "status") == "1 found among 12 shown of 12"
    assert text_of(page, "found") == "Björk – Jóga"
    search(page, "1993")
    assert text_of(page, "found") == "song 3"
    search(page, "nothing like it")
    assert text_of(page, "status") == "0 found among 12 shown of 12"
    search(page, "")
    assert text_of(page, "status") == "12 of 12 shown"


def test_pointing_at_an_item_shows_its_name_and_details(page):
    search(page, "song 4")
    choose(page)  # and brings it to the middle
    page.mouse("mouseMoved", *middle(page))
    assert page.run('document.getElementById("tip").hidden') is False
    assert text_of(page, "tip") == "song 4popyear: 1994"
    page.mouse("mouseMoved", 3, 200)
    assert page.run('document.getElementById("tip").hidden') is True


def test_markup_in_a_name_is_shown_as_text(page):
    search(page, "script")
    choose(page)
    assert text_of(page, "item-name") == "</script><b>x"
    assert page.run('document.querySelectorAll("main b").length') == 0


def test_clicking_an_item_plays_its_clip(page):
    search(page, "song 0")
    choose(page)
    page.run('document.getElementById("player").pause()')
    page.click(*middle(page))
    assert text_of(page, "item-name") == "song 0"
    page.wait('document.getElementById("player").currentTime > 0.05')
    assert abs(page.run('document.getElementById("player").duration') - 1) < 0.01
    assert any(url.endswith("clips%20%231/0001.wav") for url in page.requests())


def test_a_clip_that_is_missing_is_said(page):
    search(page, "1991")
    choose(page)
    page.wait('!document.getElementById("trouble").hidden')
    assert "cannot be played" in text_of(page, "trouble")
    # The browser itself reports the missing file; nothing else may be wrong.
    complaints = page.complaints()
    assert all("ERR_FILE_NOT_FOUND" in str(entry) for entry in complaints)
    page.events.clear()


def test_an_item_without_a_clip_has_no_player(page):
    search(page, "song 5")
    choose(page)
    assert page.run('document.getElementById("player").hidden') is True


def test_reasons_are_said_and_lead_to_songs_on_the_map(page):
    search(page, "song 0")
    choose(page)
    said = "Because you played song 3, <b>Ada</b> and song 7"
    assert text_of(page, "because") == said
    page.run('document.querySelectorAll("#because button")[1].click()')
    page.frame()
    assert text_of(page, "item-name") == "song 7"
    assert page.run('document.getElementById("because").hidden') is True
    assert page.run('document.getElementById("when").hidden') is True


def test_moments_are_marked_and_played_from_their_start(page):
    search(page, "song 0")
    choose(page)
    buttons = 'document.querySelectorAll("#moments button")'
    assert page.run(f"[...{buttons}].map(b => b.textContent)") == [
        "▶ 0:00–0:00",
        "▶ 0:00–0:01",
    ]
    page.wait("player.duration > 0")
    # Clips of a second end before they are looked at.
    page.run("player.pause(), player.play = () => Promise.resolve(), 0")
    marks = '[...document.querySelectorAll("#strip span")].map(s => [s.style.left, '
    assert page.run(marks + "s.style.width])") == [["25%", "25%"], ["75%", "25%"]]
    page.run(f"{buttons}[1].click()")
    page.wait("player.currentTime == 0.75 && !player.seeking")
    page.frame()  # the strip is drawn again when the player has moved
    # A click on the strip listens from there.
    x, y = page.run("""(() => {
      const box = document.getElementById("strip").getBoundingClientRect();
      return [box.x + 0.4 * box.width, box.y + box.height / 2];
    })()""")
    page.click(x, y)
    page.wait("Math.abs(player.currentTime - 0.4) < 0.02")


def test_moments_of_a_clip_that_is_missing_can_be_read(page):
    search(page, "1991")
    choose(page)
    assert text_of(page, "moments") == "▶ 0:03–1:05"
    page.wait('!document.getElementById("trouble").hidden')
    page.events.clear()


@pytest.mark.parametrize("size", [(1400, 900), (390, 844)])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_every_window_by_day_and_night(page, size, dark):
    page.look(size, dark=dark, mobile=size[0] < 500)
    search(page, "song 0")
    choose(page)
    page.run("player.pause()")
    page.frame()
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    corner = page.run("""(() => {
      const pixel = document.getElementById("dots").getContext("2d")
        .getImageData(1, 1, 1, 1).data;
      return [[...pixel].slice(0, 3), getComputedStyle(document.body).backgroundColor];
    })()""")
    paper = [0x17, 0x19, 0x1C] if dark else [255, 255, 255]
    assert corner == [paper, f"rgb({', '.join(map(str, paper))})"]
    assert page.run("stage.clientHeight") > 250


def test_labels_switch_items_off_and_on(page):
    click = 'document.querySelectorAll("#legend button")[{}].{}'
    page.run(click.format(0, "click()"))
    assert text_of(page, "status") == "8 of 12 shown"
    page.run(click.format(1, "dispatchEvent(new MouseEvent('dblclick'))"))
    assert text_of(page, "status") == "4 of 12 shown"
    pressed = page.run(
        '[...document.querySelectorAll("#legend button")].map(b => b.ariaPressed)'
    )
    assert pressed == ["false", "true", "false"]
    page.run('document.getElementById("none").click()')
    assert text_of(page, "status") == "0 of 12 shown"
    page.run('document.getElementById("all").click()')
    assert text_of(page, "status") == "12 of 12 shown"


def test_wheel_zooms_where_the_pointer_is_and_dragging_moves(page):
    search(page, "song 7")
    choose(page)
    x, y = middle(page)
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400)
    page.frame()
    page.mouse("mouseMoved", x, y)
    assert text_of(page, "tip").startswith("song 7")
    page.mouse("mousePressed", x, y, button="left", clickCount=1)
    page.mouse("mouseMoved", x + 60, y + 30, button="left", buttons=1)
    page.mouse("mouseMoved", x + 120, y + 60, button="left", buttons=1)
    page.mouse("mouseReleased", x + 120, y + 60, button="left", clickCount=1)
    page.mouse("mouseMoved", x + 120, y + 60)
    assert text_of(page, "tip").startswith("song 7")
    search(page, "")
    page.run('document.getElementById("whole").click()')
    page.frame()
    assert page.run("stage.dataset.inView") == "12"


def test_fifty_thousand_items_can_be_walked_through(browser, tmp_path):
    rng = np.random.default_rng(0)
    n = 50_000
    TasteMapDisplay(
        rng.normal(size=(n, 2)),
        names=[f"song {i}" for i in range(n)],
        labels=[f"genre {i}" for i in rng.integers(12, size=n)],
    ).write_html(tmp_path / "big.html")
    browser.events.clear()
    browser.open(tmp_path / "big.html")
    assert text_of(browser, "status") == "50,000 of 50,000 shown"
    x, y = middle(browser)
    for _ in range(12):
        browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-20)
    assert 0 < int(browser.run("stage.dataset.inView")) < n
    assert not browser.complaints()
