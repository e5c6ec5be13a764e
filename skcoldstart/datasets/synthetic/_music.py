"""A synthetic music catalogue: songs and the plays of listeners."""

import functools
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch, check_random_state

from skcoldstart._sequences.ragged import LazySequence
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.sk import COUNT, Interval, validated
from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.datasets._frames import frame_of
from skcoldstart.datasets.synthetic._listeners import (
    draw_plays,
    draw_popularity,
    draw_release_dates,
    draw_tags,
    draw_user_tastes,
)
from skcoldstart.datasets.synthetic._synthesis import (
    GENRES,
    Genre,
    Voice,
    draw_score,
    draw_voice,
    holds_song,
    play,
    write_wav,
)

N_STYLE, N_SCENE = 3, 4
MUSIC_VERSION = 1  # increase it when the same seed no longer gives the same sound
TASTE_STRENGTH = 2.0
SYLLABLES = "ba do fe gi ka lo mu na pe ri sa to vu we xi yo za lin mar tel".split()
KEYS = "C Db D Eb E F Gb G Ab A Bb B".split()


@documented()
@validated(
    folder=[str, os.PathLike, None],
    n_songs=[Interval(Integral, 2, None, closed="left")],
    n_artists=[Interval(Integral, 2, None, closed="left")],
    n_genres=[Interval(Integral, 2, len(GENRES), closed="both")],
    n_users=COUNT,
    n_songs_per_user=[Interval(Real, 1, None, closed="left")],
    audible=[Interval(Real, 0, 1, closed="both")],
    duration_s=[Interval(Real, 0, None, closed="neither")],
    sr=[Interval(Integral, 2000, None, closed="left")],
    lazy=["boolean"],
    random_state=["random_state"],
    n_jobs=[Integral, None],
    verbose=["verbose"],
)
def make_music_catalog(
    folder: str | os.PathLike[str] | None = None,
    *,
    n_songs: int = 400,
    n_artists: int = 80,
    n_genres: int = 8,
    n_users: int = 600,
    n_songs_per_user: float = 20,
    audible: float = 0.7,
    duration_s: float = 10.0,
    sr: int = 22050,
    lazy: bool = False,
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int | bool = 0,
) -> Bunch:
    """Synthesize songs, and simulate listeners who play them.

    The songs are short pieces played by FM synthesis. Genres come in pairs, such as
    "rising bells" and "falling bells", that differ only in the order of their notes: a
    bag of frames cannot distinguish them, but a model of a few seconds of sound can.
    Part of the listeners' taste does not depend on the audio: the popularity of a song,
    and the scene of its artist.

    Parameters
    ----------
    folder : str or PathLike, default=None
        Folder for one mono 16-bit WAV file per song; created if it does not exist.
        Whole files of an earlier, interrupted call are kept. ``None`` keeps the
        waveforms in memory.
    n_songs : int, default=400
        Number of songs, the items.
    n_artists : int, default=80
        Number of artists, at most `n_songs`. Each has songs of one genre.
    n_genres : int, default=8
        Number of genres, 2 to 16 and at most `n_artists`.
    n_users : int, default=600
        Number of listeners.
    n_songs_per_user : float, default=20
        Mean number of different songs a listener plays, between 2 and half of the
        catalogue.
    audible : float, default=0.7
        Share of the variance of taste that the audio explains, in [0, 1]: three
        quarters of it by genre, the rest by the artist's style. The remainder is
        explained by the artist's scene, which is not audible.
    duration_s : float, default=10.0
        Length of a song, in seconds.
    sr : int, default=22050
        Sampling rate, in Hz.
    lazy : bool, default=False
        Whether to synthesize a song on each access and store none; only without a
        `folder`.
    random_state : int, RandomState instance or None, default=None
        Seed of all random numbers. The result does not depend on `n_jobs`.
    n_jobs : int, default=None
        Number of threads that synthesize songs, as in joblib; ``None`` means 1.
    <progress>

    <bunch>

        paths : list of n_songs str, or None
            Files, in item order; absolute. ``None`` without a `folder`.
        waveforms : sequence of n_songs ndarray of shape (duration_s * sr,)
            The audio in float32: a list, or a lazy sequence. Only without a `folder`.
        plays : csr_array of shape (n_songs, n_users)
            Play counts.
        artists, genres, titles : ndarray of shape (n_songs,)
            Names.
        groups : ndarray of shape (n_songs,)
            `artists`: the groups to hold out.
        is_new : ndarray of shape (n_songs,), bool
            Whether nobody has played the song.
        metadata : dataframe with n_songs rows, or None
            Title, artist, genre and day of release; of pandas, polars or pyarrow,
            whichever is installed.
        item_ids, user_ids : ndarray of shape (n_songs,) and (n_users,)
            Names of the rows and columns of `plays`. The name of a song is that of its
            file.
        release_dates : ndarray of shape (n_songs,), datetime64[D]
            Day of release.
        item_tags, tag_probabilities : ndarray of shape (n_songs, n_tags)
            Whether a song has a tag, and the probability of it.
        tag_names, tag_is_audible : ndarray of shape (n_tags,)
            Names of the tags, and whether they depend on the audio.
        item_latent, user_latent : ndarray of shape (n_songs, k) and (n_users, k)
            True latent vectors of songs and listeners: genres, then style, then scene.
        user_tastes : ndarray of shape (n_users, n_genres)
            Mixture of genres of each listener; rows sum to 1.
        genre_names : ndarray of shape (n_genres,)
            Names of the columns of `user_tastes`.
        popularity : ndarray of shape (n_songs,)
            Popularity of each song, as a share of plays without taste.
        true_item_factors : ndarray of shape (n_songs, k + 1)
            `item_latent` and the logarithm of `popularity`.
        true_user_factors : ndarray of shape (n_users, k + 1)
            `user_latent` and 1. ``true_item_factors @ true_user_factors.T`` are the log
            weights by which listeners choose; no other scores rank better.
        factor_is_audible : ndarray of shape (k + 1,), bool
            Which of these factors affect the audio. No scores computed only from audio
            rank better than those of these columns.
        sr : int
            Sampling rate, in Hz.
        <summary>

    Raises
    ------
    ValueError
        If there are more artists than songs, or more genres than artists, or `lazy`
        is given with a `folder`.

    See Also
    --------
    load_catalog : Loads your own files with the same attributes.

    Notes
    -----
    *Music.* A family of instruments (FM ratio, index, envelope), a key, a tempo, four
    chords and a drum kit define two genres. Every chord lasts eight beats in which each
    of four notes meets the kick once and the snare once; a beat is damped before the
    next. "Rising" plays the notes upwards and the chords forwards, "falling" downwards
    and backwards, with the drums in another order. So both have the same beats equally
    often, and their frames follow the same distribution. An artist's style (brightness,
    pace, weight of the drums) affects the listeners; register, sustain, colour,
    equalization and hiss do not.

    *Listeners.* With z the song's and t the listener's latent vector, a listener draws
    songs one after the other without replacement with weights ``popularity * exp(z @
    t)``, where ``z @ t`` has a standard deviation of 2 over listeners. Popularity
    decreases as rank ** -0.8. Play counts follow ``P(count >= k) = k ** -1.5``; the
    largest belongs to the song drawn first.

    *Metadata.* A song has the tag of its family with probability 0.9 and others with
    0.02, of its structure with 0.7 and 0.05. Words of style ("bright", "slow", ...) and
    of the scene ("north", "night", ...) have probability ``1 / (1 + exp(-3 (v -
    0.7)))`` where v is that trait in standard deviations, or its negative for the
    opposite tag. "favourite" depends on popularity, "seen live" on nothing. Artists
    begin around the peak of their genre (standard deviation 6 years), and songs follow
    after an exponential time of mean 6 years.

    The paper's first experiment has 9,330 songs of 29 s and 20,000 users: pass these
    numbers, some 2,000 artists, and a `folder` or ``lazy=True``. A song of 29 s takes
    20 to 30 ms of one core. Memory is ``4 * duration_s * sr`` bytes a song without a
    folder, nothing with ``lazy=True``, and ``32 * 256 * n_songs`` bytes to draw the
    plays.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] J. M. Chowning, "The synthesis of complex audio spectra by means of
       frequency modulation", Journal of the Audio Engineering Society 21(7), 1973.

    Examples
    --------
    >>> from skcoldstart.datasets import make_music_catalog
    >>> catalog = make_music_catalog(
    ...     n_songs=6, n_artists=3, n_genres=2, n_users=5, duration_s=1, random_state=0
    ... )
    >>> catalog.plays.shape, catalog.waveforms[0].shape
    ((6, 5), (22050,))
    >>> sorted(set(catalog.genres.tolist()))
    ['falling bells', 'rising bells']
    """
    for few, n_few, many, n_many in (
        ("n_genres", n_genres, "n_artists", n_artists),
        ("n_artists", n_artists, "n_songs", n_songs),
    ):
        if n_few > n_many:
            raise ValueError(
                f"{few}={n_few} is more than {many}={n_many}; every genre needs an "
                f"artist and every artist a song. Decrease {few} or increase {many}."
            )
    if lazy and folder is not None:
        raise ValueError(
            f"lazy=True synthesizes songs on access, but folder={folder!r} writes "
            f"files; use one of them."
        )
    seed = check_random_state(random_state).randint(2**31 - 1)
    # Of catalogue, listeners, artists, songs, tags and dates.
    seeds = np.random.SeedSequence(seed).spawn(6)
    rng = np.random.default_rng(seeds[0])
    genre_of_artist = rng.permutation(np.arange(n_artists) % n_genres)
    # Every artist has a song, and the others are divided unevenly.
    share = rng.dirichlet(np.full(n_artists, 3.0))
    sizes = 1 + rng.multinomial(n_songs - n_artists, share)
    artist = rng.permutation(np.repeat(np.arange(n_artists), sizes))
    style = np.sqrt(0.8) * rng.standard_normal((n_artists, N_STYLE))[artist]
    style += np.sqrt(0.2) * rng.standard_normal((n_songs, N_STYLE))
    scene = rng.standard_normal((n_artists, N_SCENE))[artist]
    popularity = draw_popularity(artist, rng)
    names = _artist_names(n_artists, rng)[artist]
    item_latent = TASTE_STRENGTH * np.hstack([
        np.sqrt(0.75 * audible) * np.eye(n_genres)[genre_of_artist[artist]],
        np.sqrt(0.25 * audible / N_STYLE) * style,
        np.sqrt((1.0 - audible) / N_SCENE) * scene,
    ])
    rng = np.random.default_rng(seeds[1])
    tastes = draw_user_tastes(n_users, n_genres, N_STYLE + N_SCENE, rng)
    with one_blas_thread():
        plays = draw_plays(
            item_latent, tastes.latent, popularity, n_songs_per_user, rng
        )
    genres = [GENRES[g] for g in genre_of_artist[artist]]
    genre_names = [genre.name for genre in genres]
    rng = np.random.default_rng(seeds[4])
    tags = draw_tags(genre_names, style, scene, popularity, rng)
    artist_seeds, song_seeds = seeds[2].spawn(n_artists), seeds[3].spawn(n_songs)
    songs = [
        _Song(genres[i], style[i], artist_seeds[artist[i]], song_seeds[i])
        for i in range(n_songs)
    ]
    titles = np.array([f"No. {i} {song.title}" for i, song in enumerate(songs, 1)])
    release_dates = draw_release_dates(
        artist, genre_of_artist, n_genres, np.random.default_rng(seeds[5])
    )
    width = max(4, len(str(n_songs)))
    item_ids = np.array([f"{i + 1:0{width}d}" for i in range(n_songs)])
    columns = {
        "song": item_ids.tolist(),
        "title": titles.tolist(),
        "artist": names.tolist(),
        "genre": genre_names,
        "release_date": release_dates.astype("M8[us]").tolist(),
    }
    metadata = None
    with suppress(ImportError):  # no library of frames is installed
        metadata = frame_of(columns, "metadata").to_native()
    return Bunch(
        **_sound(songs, item_ids, folder, duration_s, sr, lazy, n_jobs, verbose),
        plays=plays,
        artists=names,
        genres=np.array(genre_names),
        titles=titles,
        groups=names,
        is_new=np.diff(plays.indptr) == 0,
        metadata=metadata,
        item_ids=item_ids,
        user_ids=np.array([f"listener {u}" for u in range(n_users)]),
        release_dates=release_dates,
        item_tags=tags.borne,
        tag_names=tags.names,
        tag_is_audible=tags.is_audible,
        tag_probabilities=tags.probabilities,
        item_latent=item_latent,
        user_latent=tastes.latent,
        user_tastes=tastes.genre_mixture,
        popularity=popularity,
        true_item_factors=np.column_stack([item_latent, np.log(popularity)]),
        true_user_factors=np.column_stack([tastes.latent, np.ones(n_users)]),
        factor_is_audible=np.arange(n_genres + N_STYLE + N_SCENE + 1)
        < n_genres + N_STYLE,
        genre_names=np.array([genre.name for genre in GENRES[:n_genres]]),
        sr=sr,
        DESCR=(
            f"A synthetic music catalogue: {n_songs} songs of {duration_s:g} s by "
            f"{n_artists} artists in {n_genres} genres, played {int(plays.sum())} "
            f"times by {n_users} listeners ({plays.nnz} pairs, "
            f"{plays.nnz / n_users:.1f} songs a listener). Genres of one instrument "
            "family differ only in the order of their notes. "
            f"{audible:.0%} of the variance of taste is audible; the artists' scene "
            "and the popularity of songs are not."
        ),
    )


def _artist_names(n_artists: int, rng: np.random.Generator) -> np.ndarray:
    """Return names of four syllables, all different."""
    n = len(SYLLABLES)
    names = []
    for code in rng.choice(n**4, n_artists, replace=False):
        a, b, c, d = (SYLLABLES[code // n**place % n] for place in range(4))
        names.append(f"{a}{b} {c}{d}".title())
    return np.array(names)


@dataclass(frozen=True)
class _Song:
    """The parameters of a song; its random generators are copied before use."""

    genre: Genre
    style: np.ndarray
    artist_seed: np.random.SeedSequence
    song_seed: np.random.SeedSequence

    def voice(self, rng: np.random.Generator) -> Voice:
        """Return the voice; `rng` is the song's own and is used for its score next."""
        artist_rng = np.random.default_rng(self.artist_seed)
        return draw_voice(self.genre.voice, self.style, artist_rng, rng)

    @property
    def title(self) -> str:
        """Return the title of the song: its key."""
        voice = self.voice(np.random.default_rng(self.song_seed))
        third = voice.scale[2]
        key = KEYS[round(voice.tonic) % 12]
        return f"in {key} {'major' if third == 4 else 'minor'}"

    def fingerprint(self, duration_s: float, sr: int) -> str:
        """Return an identifier of the waveform."""
        parts = (
            MUSIC_VERSION,
            self.genre,
            self.style.tolist(),
            *((s.entropy, s.spawn_key) for s in (self.artist_seed, self.song_seed)),
            float(duration_s),
            int(sr),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _play_song(song: _Song, duration_s: float, sr: int) -> np.ndarray:
    rng = np.random.default_rng(song.song_seed)
    voice = song.voice(rng)
    score = draw_score(voice, song.genre.structure, duration_s, rng)
    return play(score, voice, duration_s, sr, rng)


def _write_song(song: _Song, duration_s: float, sr: int, path: str) -> None:
    """Write a song unless its file exists."""
    fingerprint = song.fingerprint(duration_s, sr)
    if not holds_song(path, max(1, round(duration_s * sr)), fingerprint):
        write_wav(path, _play_song(song, duration_s, sr), sr, fingerprint)


def _sound(
    songs: list[_Song],
    item_ids: np.ndarray,
    folder: str | os.PathLike[str] | None,
    duration_s: float,
    sr: int,
    lazy: bool,
    n_jobs: int | None,
    verbose: int | bool,
) -> dict[str, Any]:
    """Return the paths of the songs, or their waveforms."""
    if lazy:
        compute = functools.partial(_play_song, duration_s=duration_s, sr=sr)
        return {"paths": None, "waveforms": LazySequence(compute, songs)}
    if folder is None:
        paths = None
        jobs = (delayed(_play_song)(song, duration_s, sr) for song in songs)
    else:
        place = check_path(folder, "folder").absolute()
        place.mkdir(parents=True, exist_ok=True)
        paths = [str(place / f"{item}.wav") for item in item_ids]
        jobs = (
            delayed(_write_song)(song, duration_s, sr, path)
            for song, path in zip(songs, paths, strict=True)
        )
    played = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(jobs)
    waveforms = list(
        progress_bar(
            played,
            description="Play songs",
            verbose=verbose,
            total=len(songs),
            unit="song",
        )
    )
    return {"paths": paths} | ({"waveforms": waveforms} if paths is None else {})
