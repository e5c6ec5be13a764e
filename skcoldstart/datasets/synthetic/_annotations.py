"""Metadata of synthetic songs: tags and release dates."""

from dataclasses import dataclass

import numpy as np

LAST_DAY = np.datetime64("2012-12-31", "D")
YEAR = 365.25
STYLE_TAGS = (("bright", "dark"), ("fast", "slow"), ("loud drums", "soft drums"))
SCENE_TAGS = (
    ("north", "south"),
    ("city", "country"),
    ("day", "night"),
    ("summer", "winter"),
)
SLOPE, OFFSET = 3.0, 0.7  # a tag has probability 1/2 at 0.7 standard deviations


@dataclass(frozen=True)
class Tags:
    """Tags, their probabilities for each song, and the drawn tags."""

    names: np.ndarray  # (n_tags,)
    is_audible: np.ndarray  # (n_tags,), whether they depend on the audio
    probabilities: np.ndarray  # (n_songs, n_tags)
    borne: np.ndarray  # (n_songs, n_tags), bool


def draw_tags(
    genre_names: list[str],
    style: np.ndarray,
    scene: np.ndarray,
    popularity: np.ndarray,
    rng: np.random.Generator,
) -> Tags:
    """Draw tags of songs by sound, scene and popularity.

    Shapes: `style` (n_songs, 3), `scene` (n_songs, 4), `popularity` (n_songs,).
    """
    names: list[str] = []
    columns: list[np.ndarray] = []
    words = np.array([name.split() for name in genre_names])
    for place, likely, unlikely in ((1, 0.9, 0.02), (0, 0.7, 0.05)):
        for word in dict.fromkeys(words[:, place].tolist()):
            names.append(word)
            columns.append(np.where(words[:, place] == word, likely, unlikely))
    for pairs, values in ((STYLE_TAGS, style), (SCENE_TAGS, scene)):
        for (high, low), value in zip(pairs, values.T, strict=True):
            names += [high, low]
            columns += [_logistic(value), _logistic(-value)]
    n_audible = len(names) - 2 * len(SCENE_TAGS)
    rank = np.argsort(np.argsort(popularity)) / max(1, len(popularity) - 1)
    names += ["favourite", "seen live"]
    columns += [0.05 + 0.4 * rank**2, np.full(len(rank), 0.1)]
    probabilities = np.column_stack(columns)
    return Tags(
        np.array(names),
        np.arange(len(names)) < n_audible,
        probabilities,
        rng.random(probabilities.shape) < probabilities,
    )


def _logistic(value: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-SLOPE * (value - OFFSET)))


def draw_release_dates(
    artists: np.ndarray,
    genre_of_artist: np.ndarray,
    n_genres: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw release dates along careers of artists around the peak of a genre.

    Shapes: `artists` (n_songs,), `genre_of_artist` (n_artists,) -> (n_songs,).
    """
    heyday = rng.uniform(5.0, 40.0, n_genres)  # years before the last day
    debut = heyday[genre_of_artist] + rng.normal(0.0, 6.0, len(genre_of_artist))
    debut = np.clip(debut, 1.0, 60.0)
    career = rng.exponential(6.0, len(artists))
    years_ago = np.maximum(debut[artists] - career, rng.random(len(artists)))
    return LAST_DAY - np.floor(years_ago * YEAR).astype("timedelta64[D]")
