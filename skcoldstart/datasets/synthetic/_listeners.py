"""Synthetic tags and release dates of songs, and listeners and their play counts."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

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


CHUNK = 256


@dataclass(frozen=True)
class Tastes:
    """Tastes of users: mixtures of genres, and latent vectors."""

    genre_mixture: np.ndarray  # (n_users, n_genres), rows sum to 1
    latent: np.ndarray  # (n_users, n_genres + n_style + n_scene), unit variance


def draw_user_tastes(
    n_users: int,
    n_genres: int,
    n_other: int,
    rng: np.random.Generator,
) -> Tastes:
    """Draw users who like a few genres, and have a taste in style and scene."""
    concentration = 0.3
    mixture = rng.dirichlet(np.full(n_genres, concentration), n_users)
    mean = 1.0 / n_genres
    variance = mean * (1.0 - mean) / (n_genres * concentration + 1.0)
    genre = (mixture - mean) / np.sqrt(variance)
    return Tastes(mixture, np.hstack([genre, rng.standard_normal((n_users, n_other))]))


def draw_popularity(artists: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the popularity of songs: a power law of a rank that depends on the artist.

    Shapes: `artists` (n_songs,) -> (n_songs,).
    """
    fame = rng.standard_normal(artists.max() + 1)[artists]
    luck = rng.standard_normal(len(artists))
    share = np.empty(len(artists))
    order = np.argsort(-(fame + luck), kind="stable")
    share[order] = np.arange(1, len(artists) + 1) ** -0.8
    return share / share.sum()


def draw_plays(
    item_latent: np.ndarray,
    user_latent: np.ndarray,
    popularity: np.ndarray,
    n_songs_per_user: float,
    rng: np.random.Generator,
) -> sp.csr_array:
    """Draw the songs of users by popularity and taste, and the play counts.

    Shapes: `item_latent` (n_songs, k), `user_latent` (n_users, k), `popularity`
    (n_songs,) -> (n_songs, n_users).

    A user's songs are drawn one after the other without replacement (Plackett-Luce, by
    Gumbel's trick). The counts are drawn separately, and the largest belongs to the
    song chosen first, so the power law of the counts holds exactly.
    """
    n_songs, n_users = len(item_latent), len(user_latent)
    spread = 0.7
    activity = rng.lognormal(np.log(n_songs_per_user) - spread**2 / 2, spread, n_users)
    most = max(1, n_songs // 2)
    sizes = np.clip(np.rint(activity), min(2, most), most).astype(np.int64)

    users = np.repeat(np.arange(n_users), sizes)
    # P(count >= k) = k ** -1.5, for k = 1, 2, 3, ..
    counts = np.floor((1.0 - rng.random(len(users))) ** (-1.0 / 1.5))
    counts = counts[np.lexsort((-counts, users))]

    songs = []
    for start in range(0, n_users, CHUNK):
        block = slice(start, start + CHUNK)
        keys = user_latent[block] @ item_latent.T + np.log(popularity)
        keys += rng.gumbel(size=keys.shape)
        chosen = _largest(keys, int(sizes[block].max()))
        songs.append(chosen[np.arange(chosen.shape[1]) < sizes[block, None]])
    return sp.csr_array((counts, (np.concatenate(songs), users)), (n_songs, n_users))


def _largest(keys: np.ndarray, n: int) -> np.ndarray:
    """Return the positions of the n largest keys of each row, largest first."""
    some = np.argpartition(-keys, n - 1, axis=1)[:, :n]
    order = np.argsort(-np.take_along_axis(keys, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)
