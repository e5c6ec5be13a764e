"""The synthetic catalogue: what it promises about sound and about plays."""

import wave

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import stft

from skcoldstart.datasets import load_catalog, make_music_catalog
from skcoldstart.datasets.synthetic._listeners import (
    draw_plays,
    draw_popularity,
    draw_user_tastes,
)
from skcoldstart.datasets.synthetic._synthesis import (
    FALLING,
    GENRES,
    RISING,
    draw_score,
    draw_voice,
    play,
)

SMALL = {"n_songs": 12, "n_artists": 6, "n_genres": 4, "n_users": 30, "duration_s": 0.5}
SILENT = {"duration_s": 1e-3, "sr": 2000}


def test_a_seed_gives_the_same_bits_for_any_n_jobs_and_another_other_ones(
    global_random_seed,
):
    seed = global_random_seed
    one, same = (
        make_music_catalog(**SMALL, random_state=seed, n_jobs=n) for n in (1, 2)
    )
    assert sorted(one) == sorted(same)
    for key in set(one) - {"plays", "waveforms", "paths"}:
        assert_array_equal(one[key], same[key])
    assert_array_equal(one.plays.toarray(), same.plays.toarray())
    assert_array_equal(one.waveforms, same.waveforms)
    assert "12 songs of 0.5 s by 6 artists in 4 genres" in one.DESCR
    assert f"played {int(one.plays.sum())} times" in one.DESCR
    other = make_music_catalog(**SMALL, random_state=seed + 1)
    assert (one.plays != other.plays).nnz > 0
    assert not np.array_equal(one.waveforms[0], other.waveforms[0])


def test_files_hold_the_waveforms_in_16_bit(tmp_path):
    folder = tmp_path / "new" / "songs"
    on_disk = make_music_catalog(folder, **SMALL, random_state=3)
    in_memory = make_music_catalog(**SMALL, random_state=3)
    assert "waveforms" not in on_disk and in_memory.paths is None
    assert sorted(map(str, folder.iterdir())) == on_disk.paths
    for path, waveform in zip(on_disk.paths, in_memory.waveforms, strict=True):
        with wave.open(path) as sound:
            assert sound.getparams()[:4] == (1, 2, 22050, 11025)
            samples = np.frombuffer(sound.readframes(11025), "<i2")
        assert_allclose(samples / 32768, waveform, atol=0.5 / 32768, rtol=0)


def test_interrupted_writing_leaves_whole_files_only(tmp_path, monkeypatch):
    real, calls = soundfile.SoundFile.write, []

    def write_two_then_interrupt(sound, samples):
        calls.append(1)
        real(sound, samples if len(calls) < 3 else samples[:100])
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(soundfile.SoundFile, "write", write_two_then_interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_music_catalog(tmp_path, **SMALL, random_state=0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0001.wav", "0002.wav"]


@pytest.mark.parametrize(("sr", "duration_s"), [(8000, 0.25), (44100, 0.1), (2000, 3)])
def test_waveforms_keep_their_length_and_never_clip(sr, duration_s):
    catalog = make_music_catalog(
        n_songs=16, n_artists=16, n_genres=16, sr=sr, duration_s=duration_s, n_users=2
    )
    assert catalog.sr == sr
    for waveform in catalog.waveforms:
        assert waveform.dtype == np.float32
        assert waveform.shape == (round(duration_s * sr),)
        assert 0.49 < np.abs(waveform).max() < 0.96


def test_every_artist_has_one_genre_and_every_genre_an_artist():
    catalog = make_music_catalog(
        n_songs=60, n_artists=20, n_genres=7, n_users=3, **SILENT, random_state=0
    )
    pairs = set(zip(catalog.artists, catalog.genres, strict=True))
    assert len(pairs) == len(set(catalog.artists)) == 20
    assert set(catalog.genres) == set(catalog.genre_names)
    assert len(set(catalog.titles)) == 60


def test_catalogue_keeps_the_power_law_of_the_counts():
    catalog = make_music_catalog(
        n_songs=200, n_users=2000, **SILENT, random_state=0, n_songs_per_user=30
    )
    counts = catalog.plays.data
    assert abs(catalog.plays.nnz / 2000 - 30) < 2
    for k in (1, 2, 4, 8):
        p = k**-1.5
        assert abs((counts >= k).mean() - p) <= 4 * np.sqrt(p / len(counts))


def test_popularity_is_a_power_law_of_the_rank(rng):
    artists = rng.integers(0, 5, 50)
    share = np.sort(draw_popularity(artists, rng))[::-1]
    assert_allclose(share.sum(), 1.0)
    assert_allclose(share / share[0], np.arange(1, 51) ** -0.8)


def test_choice_between_two_songs_follows_popularity_and_taste(rng):
    n, popularity, items = 40_000, np.array([0.3, 0.7]), np.array([[0.7], [-0.2]])
    for taste in (1.0, -0.5):
        plays = draw_plays(items, np.full((n, 1), taste), popularity, 5, rng).toarray()
        assert_array_equal((plays > 0).sum(axis=0), 1)
        weights = popularity * np.exp(taste * items.ravel())
        p = weights[0] / weights.sum()
        assert abs((plays[0] > 0).mean() - p) <= 4 * np.sqrt(p * (1 - p) / n)


def test_users_play_the_songs_they_chose_first_most(rng):
    # One song outweighs all others: everybody chooses it first.
    popularity = np.r_[1.0, np.full(9, 1e-9)]
    plays = draw_plays(np.zeros((10, 1)), np.zeros((50, 1)), popularity, 4, rng)
    plays = plays.toarray()
    assert_array_equal(plays[0], plays.max(axis=0))


def test_tastes_have_unit_variance_and_few_genres(rng):
    tastes = draw_user_tastes(60_000, 8, 2, rng)
    assert_allclose(tastes.genre_mixture.sum(axis=1), 1.0)
    assert_allclose(tastes.latent.mean(axis=0), 0.0, atol=0.02)
    assert_allclose(tastes.latent.var(axis=0), 1.0, atol=0.05)
    assert (tastes.genre_mixture.max(axis=1) > 0.5).mean() > 0.4


@pytest.mark.parametrize("audible", [0.0, 0.4, 1.0])
def test_audible_share_of_the_variance_of_taste_is_as_asked(audible):
    catalog = make_music_catalog(
        n_songs=150, n_artists=150, n_users=1, audible=audible, **SILENT
    )
    variance = catalog.item_latent**2
    assert_allclose(variance[:, :8].sum(axis=1), 3 * audible)
    assert_allclose(variance[:, :11].sum(axis=1).mean(), 4 * audible, rtol=0.15)
    assert_allclose(variance.sum(axis=1).mean(), 4.0, rtol=0.25)


def _scores(genre, n_songs, duration_s):
    """Scores of plain artists, so that only the genre differs."""
    for seed in range(n_songs):
        rng = np.random.default_rng(seed)
        voice = draw_voice(genre.voice, np.zeros(3), np.random.default_rng(0), rng)
        yield draw_score(voice, genre.structure, duration_s, rng), voice, rng


def _songs(genre, n_songs):
    for score, voice, rng in _scores(genre, n_songs, 8.0):
        yield score, voice, play(score, voice, 8.0, 8000, rng)


def _log_spectra(waveform):
    return np.log(1e-6 + np.abs(stft(waveform, 8000, nperseg=512)[2]))


def _bag_of_frames(genre):
    """Mean and spread of the spectrum, in 32 bands, averaged over songs."""
    stats = []
    for _, _, waveform in _songs(genre, 12):
        bands = _log_spectra(waveform)[:256].reshape(32, 8, -1).mean(axis=1)
        stats.append(np.r_[bands.mean(axis=1), bands.std(axis=1)])
    return np.mean(stats, axis=0)


@pytest.mark.slow
def test_genres_of_a_family_sound_alike_frame_by_frame():
    bags = np.array([_bag_of_frames(genre) for genre in GENRES[:6]])
    distance = np.linalg.norm(bags[:, None] - bags, axis=2)
    family = np.arange(6) // 2
    within = distance[(family[:, None] == family) & ~np.eye(6, dtype=bool)]
    between = distance[family[:, None] != family]
    assert within.max() < 0.2 * between.min()


@pytest.mark.parametrize("genre", GENRES, ids=lambda genre: genre.name)
def test_melody_of_a_genre_goes_its_way(genre):
    score, _, _ = next(_scores(genre, 1, 60.0))
    order = np.argsort(score.melody.onset_s)
    steps = np.diff(score.melody.pitch[order])
    up = (steps[steps != 0] > 0).mean()
    # Three steps of four go its way; the fourth returns to where the next bar begins.
    assert 0.65 < (up if genre.structure is RISING else 1 - up) < 0.8


def test_every_structure_has_the_same_beats_in_another_order():
    beats = [list(zip(s.degrees, s.drums, strict=True)) for s in (RISING, FALLING)]
    assert sorted(beats[0]) == sorted(beats[1])
    assert len(set(beats[0])) == 8
    rotations = [beats[0][shift:] + beats[0][:shift] for shift in range(8)]
    assert beats[1] not in rotations
    for genre in GENRES[::2]:  # chords backwards are another progression
        chords = genre.voice.progression
        rotations = [chords[shift:] + chords[:shift] for shift in range(len(chords))]
        assert chords[::-1] not in rotations


@pytest.mark.parametrize("genre", GENRES[:2], ids=lambda genre: genre.name)
def test_nothing_rings_into_the_next_beat(genre):
    score, voice, _ = next(_scores(genre, 1, 10.0))
    beat_s = 60 / voice.beats_per_minute
    hits = np.sort(np.r_[score.drums["kick"].onset_s, score.drums["snare"].onset_s])
    for part in (score.melody, score.bass):
        beat = np.searchsorted(hits, part.onset_s + 0.03) - 1
        assert (part.onset_s + part.length_s <= hits[beat] + beat_s + 0.03).all()


def _rhythm(score, voice, waveform):
    """How much more the attacks of beats resemble those two beats on than the next."""
    spectra = _log_spectra(waveform)[64:]
    hits = np.sort(np.r_[score.drums["kick"].onset_s, score.drums["snare"].onset_s])
    frames = (hits[(hits > 0) & (hits < 7.8)] * 8000 / 256).astype(int) + 1
    attacks = spectra[:, frames] - spectra[:, frames].mean(axis=1, keepdims=True)

    def resemblance(lag):
        return (attacks[:, lag:] * attacks[:, :-lag]).sum() / (attacks**2).sum()

    return resemblance(2) - resemblance(1)


@pytest.mark.slow
def test_rhythm_tells_the_genres_of_a_family_apart():
    rising, falling = (
        [_rhythm(*song) for song in _songs(genre, 10)] for genre in GENRES[2:4]
    )
    assert np.greater.outer(rising, falling).mean() > 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_artists": 500}, r"n_artists=500 is more than n_songs=400"),
        ({"n_artists": 4}, r"n_genres=8 is more than n_artists=4"),
        ({"n_genres": 17}, r"n_genres.* must be an int in the range \[2, 16\]"),
        ({"audible": 1.5}, r"audible"),
        ({"duration_s": 0}, r"duration_s"),
        (
            {"lazy": True, "folder": "new"},
            r"lazy=True .* but folder='new' writes files",
        ),
    ],
)
def test_impossible_catalogues_are_refused(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        make_music_catalog(**arguments)
    assert not any(tmp_path.iterdir())


def test_both_kinds_of_catalogue_have_the_same_fields(tmp_path):
    world = make_music_catalog(tmp_path / "audio", **SMALL, random_state=0)
    world.metadata.to_csv(tmp_path / "songs.csv", index=False)
    pairs = world.plays.tocoo()
    songs, users = world.item_ids[pairs.coords[0]], world.user_ids[pairs.coords[1]]
    table = pd.DataFrame({"user": users, "song": songs, "plays": pairs.data})
    files = (tmp_path / "audio", tmp_path / "songs.csv")
    own = load_catalog(table, *files, metadata=world.metadata)
    assert set(own) <= set(world)
    assert own.paths == world.paths and own.is_new.tolist() == world.is_new.tolist()
    assert_array_equal(own.item_ids, world.item_ids)
    assert_array_equal(own.groups, world.groups)
    assert own.metadata.equals(world.metadata)
    assert own.plays.sum() == world.plays.sum()
