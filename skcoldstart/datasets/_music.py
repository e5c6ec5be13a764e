"""A whole invented music world: songs to hear, and listeners who play them."""

import os
import wave
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch, check_random_state

from skcoldstart._utils.atomic import atomic_write
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.sk import Interval, validate_params
from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.datasets._listeners import (
    draw_plays,
    draw_popularity,
    draw_user_tastes,
)
from skcoldstart.datasets._synthesis import (
    GENRES,
    Genre,
    draw_score,
    draw_voice,
    play,
)

__all__ = ["make_music_catalog"]

N_STYLE, N_SCENE = 3, 4
TASTE_STRENGTH = 2.0
SYLLABLES = "ba do fe gi ka lo mu na pe ri sa to vu we xi yo za lin mar tel".split()
KEYS = "C Db D Eb E F Gb G Ab A Bb B".split()


@validate_params(
    {
        "folder": [str, os.PathLike, None],
        "n_songs": [Interval(Integral, 2, None, closed="left")],
        "n_artists": [Interval(Integral, 2, None, closed="left")],
        "n_genres": [Interval(Integral, 2, len(GENRES), closed="both")],
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_songs_per_user": [Interval(Real, 1, None, closed="left")],
        "audible": [Interval(Real, 0, 1, closed="both")],
        "duration_s": [Interval(Real, 0, None, closed="neither")],
        "sr": [Interval(Integral, 2000, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
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
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int | bool = 0,
) -> Bunch:
    """Make songs that can be heard and listeners who play them.

    The songs are short pieces played by FM synthesis. Genres come in pairs: "rising
    bells" and "falling bells" play the same notes on the same instruments and differ
    only in their order, so a bag of frames cannot tell them apart, and a model that
    hears a few seconds at once can. Part of what listeners want leaves no trace in
    the audio: fame, and the scene an artist belongs to.

    Parameters
    ----------
    folder : str or PathLike, default=None
        Where to write one mono 16-bit WAV file a song; made if it is missing. A file
        is written whole or not at all. ``None`` keeps the waveforms in memory.
    n_songs : int, default=400
        Number of songs, the items.
    n_artists : int, default=80
        Number of artists, at most `n_songs`. Each has at least one song, all of one
        genre.
    n_genres : int, default=8
        Number of genres, 2 to 16 and at most `n_artists`.
    n_users : int, default=600
        Number of listeners.
    n_songs_per_user : float, default=20
        Mean number of different songs a listener plays (log-normal; held between 2
        and half of the catalogue).
    audible : float, default=0.7
        Share of the variance of taste that the audio explains, in [0, 1]: three
        quarters of it by genre, the rest by the artist's style. What is left goes to
        the artist's scene, which cannot be heard.
    duration_s : float, default=10.0
        Length of a song, in seconds.
    sr : int, default=22050
        Sampling rate, in Hz.
    random_state : int, RandomState instance or None, default=None
        Seed of everything; the result does not depend on `n_jobs`.
    n_jobs : int, default=None
        Threads that play the songs, as in joblib; ``None`` means 1.
    verbose : int or bool, default=0
        Whether to show a progress bar on standard error.

    Returns
    -------
    Bunch
        With the attributes:

        paths : list of n_songs str
            Files, in item order. Only with a `folder`.
        waveforms : list of n_songs ndarray of shape (duration_s * sr,)
            The audio in float32. Only without a `folder`.
        plays : csr_array of shape (n_songs, n_users)
            Play counts.
        artists, genres, titles : ndarray of shape (n_songs,)
            Names. Artists are the groups to hold out.
        item_latent : ndarray of shape (n_songs, k)
            What each song truly offers: genres, then style, then scene.
        user_latent : ndarray of shape (n_users, k)
            What each listener truly wants, in the same order.
        user_tastes : ndarray of shape (n_users, n_genres)
            Mixture of genres each listener likes; rows sum to 1.
        popularity : ndarray of shape (n_songs,)
            Share of attention a song gets where taste does not matter.
        genre_names : ndarray of shape (n_genres,)
            Names of the columns of `user_tastes`.
        sr : int
            Sampling rate, in Hz.
        DESCR : str
            What was made.

    Raises
    ------
    ValueError
        If there are more artists than songs, or more genres than artists.

    See Also
    --------
    load_catalog : The same form, from your own files.

    Notes
    -----
    *Music.* A family of instruments (FM ratio, index, envelope), a key, a tempo, four
    chords and a drum kit make two genres. Every chord lasts eight beats in which each
    of four notes meets the kick once and the snare once; a beat is damped before the
    next. "Rising" plays the notes upwards, its chords forwards and the drums kick
    snare kick snare, snare kick snare kick; "falling" plays the notes downwards, its
    chords backwards and the drums kick kick snare snare, snare snare kick kick. Hence
    both have the same beats equally often, and frames or short windows of either
    genre follow the same distribution. An artist's style (brightness, pace, weight of
    the drums) varies the family and matters to listeners; register, sustain, colour,
    equalisation and hiss vary too and matter to nobody.

    *Listeners.* With z the song's and t the listener's latent vector, a listener
    draws songs one after the other without replacement with weights
    ``popularity * exp(z @ t)``, where ``z @ t`` has a standard deviation of 2 over
    listeners. Popularity falls as rank ** -0.8. Play counts follow
    ``P(count >= k) = k ** -1.5``; the largest goes to the song drawn first.

    A song of 10 s takes about 10 ms of one core. Memory is ``4 * duration_s * sr``
    bytes a song without a folder, and ``8 * 256 * n_songs`` bytes to draw the plays.

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
    _check_sizes(n_songs, n_artists, n_genres)
    seed = check_random_state(random_state).randint(2**31 - 1)
    layout_seed, listener_seed, artist_seed, song_seed = np.random.SeedSequence(
        seed
    ).spawn(4)
    rng = np.random.default_rng(layout_seed)
    genre_of_artist = rng.permutation(np.arange(n_artists) % n_genres)
    artist = rng.permutation(_songs_of_artists(n_songs, n_artists, rng))
    genre = genre_of_artist[artist]
    style = np.sqrt(0.8) * rng.standard_normal((n_artists, N_STYLE))[artist]
    style += np.sqrt(0.2) * rng.standard_normal((n_songs, N_STYLE))
    scene = rng.standard_normal((n_artists, N_SCENE))[artist]
    popularity = draw_popularity(artist, rng)
    names = _artist_names(n_artists, rng)[artist]

    item_latent = TASTE_STRENGTH * np.hstack([
        np.sqrt(0.75 * audible) * np.eye(n_genres)[genre],
        np.sqrt(0.25 * audible / N_STYLE) * style,
        np.sqrt((1.0 - audible) / N_SCENE) * scene,
    ])
    rng = np.random.default_rng(listener_seed)
    tastes = draw_user_tastes(n_users, n_genres, N_STYLE + N_SCENE, rng)
    with one_blas_thread():
        plays = draw_plays(
            item_latent, tastes.latent, popularity, n_songs_per_user, rng
        )

    artist_seeds, song_seeds = artist_seed.spawn(n_artists), song_seed.spawn(n_songs)
    files = _file_names(folder, n_songs)
    jobs = (
        delayed(_make_song)(
            GENRES[genre[i]],
            style[i],
            artist_seeds[artist[i]],
            song_seeds[i],
            duration_s,
            sr,
            None if files is None else files[i],
        )
        for i in range(n_songs)
    )
    songs = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(jobs)
    bar = progress_bar(
        songs, description="Play songs", verbose=verbose, total=n_songs, unit="song"
    )
    titles, waveforms = zip(*bar, strict=True)
    audio = {"waveforms": list(waveforms)} if files is None else {"paths": files}
    return Bunch(
        **audio,
        plays=plays,
        artists=names,
        genres=np.array([GENRES[g].name for g in genre]),
        titles=np.array([f"No. {i + 1} {title}" for i, title in enumerate(titles)]),
        item_latent=item_latent,
        user_latent=tastes.latent,
        user_tastes=tastes.genre_mixture,
        popularity=popularity,
        genre_names=np.array([genre.name for genre in GENRES[:n_genres]]),
        sr=sr,
        DESCR=_describe(plays, n_artists, n_genres, duration_s, audible),
    )


def _check_sizes(n_songs: int, n_artists: int, n_genres: int) -> None:
    for few, n_few, many, n_many in (
        ("n_genres", n_genres, "n_artists", n_artists),
        ("n_artists", n_artists, "n_songs", n_songs),
    ):
        if n_few > n_many:
            raise ValueError(
                f"{few}={n_few} is more than {many}={n_many}; every genre needs an "
                f"artist and every artist a song. Lower {few} or raise {many}."
            )


def _songs_of_artists(
    n_songs: int, n_artists: int, rng: np.random.Generator
) -> np.ndarray:
    """Give every artist one song and the rest at random, to some more than others."""
    share = rng.dirichlet(np.full(n_artists, 3.0))
    sizes = 1 + rng.multinomial(n_songs - n_artists, share)
    return np.repeat(np.arange(n_artists), sizes)


def _artist_names(n_artists: int, rng: np.random.Generator) -> np.ndarray:
    """Return names of four syllables, all different."""
    n = len(SYLLABLES)
    names = []
    for code in rng.choice(n**4, n_artists, replace=False):
        a, b, c, d = (SYLLABLES[code // n**place % n] for place in range(4))
        names.append(f"{a}{b} {c}{d}".title())
    return np.array(names)


def _file_names(
    folder: str | os.PathLike[str] | None, n_songs: int
) -> list[str] | None:
    if folder is None:
        return None
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    width = max(4, len(str(n_songs)))
    return [str(place / f"{i + 1:0{width}d}.wav") for i in range(n_songs)]


def _make_song(
    genre: Genre,
    style: np.ndarray,
    artist_seed: np.random.SeedSequence,
    song_seed: np.random.SeedSequence,
    duration_s: float,
    sr: int,
    path: str | None,
) -> tuple[str, np.ndarray | None]:
    """Play one song; return what to call it, and its waveform unless it is written."""
    rng = np.random.default_rng(song_seed)
    voice = draw_voice(genre.voice, style, np.random.default_rng(artist_seed), rng)
    score = draw_score(voice, genre.structure, duration_s, rng)
    waveform = play(score, voice, duration_s, sr, rng)
    third = voice.scale[2]
    title = f"in {KEYS[round(voice.tonic) % 12]} {'major' if third == 4 else 'minor'}"
    if path is None:
        return title, waveform
    _write_wav(path, waveform, sr)
    return title, None


def _write_wav(path: str, waveform: np.ndarray, sr: int) -> None:
    """Write 16-bit mono; a sample x in [-1, 1) becomes the integer nearest 32768 x."""
    samples = np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype("<i2")
    with atomic_write(path) as file, wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sr)
        sound.writeframes(samples.tobytes())


def _describe(
    plays: Any, n_artists: int, n_genres: int, duration_s: float, audible: float
) -> str:
    n_songs, n_users = plays.shape
    return (
        f"An invented music catalogue: {n_songs} songs of {duration_s:g} s by "
        f"{n_artists} artists in {n_genres} genres, played {int(plays.sum())} times "
        f"by {n_users} listeners ({plays.nnz} pairs, {plays.nnz / n_users:.1f} songs a "
        "listener). Genres of one instrument family differ only in the order of "
        f"their notes. {audible:.0%} of the variance of taste can be heard; the "
        "artists' scene and the fame of songs cannot."
    )
