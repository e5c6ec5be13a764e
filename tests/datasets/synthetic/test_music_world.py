"""The synthetic world: what is known of it, and how its songs are made and kept."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import MFCCExtractor
from skcoldstart.datasets import make_music_catalog, make_subset
from skcoldstart.datasets.synthetic._listeners import draw_release_dates, draw_tags
from skcoldstart.metrics import mean_auc

SMALL = {"n_songs": 12, "n_artists": 6, "n_genres": 4, "n_users": 30, "duration_s": 0.5}
SILENT = {"duration_s": 1e-3, "sr": 2000}


@pytest.fixture(scope="module")
def world():
    return make_music_catalog(
        n_songs=600, n_artists=150, n_users=400, **SILENT, random_state=0
    )


def test_true_factors_are_the_log_weights_of_the_choices(world):
    taste = world.item_latent @ world.user_latent.T
    log_weights = np.log(world.popularity[:, None] * np.exp(taste))
    truth = world.true_item_factors @ world.true_user_factors.T
    assert_allclose(truth, log_weights, rtol=1e-9, atol=1e-9)


def test_truth_ranks_best_then_what_can_be_heard_then_chance(world, rng):
    items, users = world.true_item_factors, world.true_user_factors
    heard = world.factor_is_audible
    truth = mean_auc(world.plays, items @ users.T)
    audible = mean_auc(world.plays, items[:, heard] @ users[:, heard].T)
    rest = mean_auc(world.plays, items[:, ~heard] @ users[:, ~heard].T)
    noise = rng.standard_normal(world.plays.shape)
    assert truth > 0.9
    assert 0.55 < audible < truth - 0.05 and rest < truth - 0.05
    assert mean_auc(world.plays, items @ users.T + noise) < truth


def test_names_of_rows_and_columns_are_all_different(world):
    assert world.plays.shape == (len(set(world.item_ids)), len(set(world.user_ids)))
    assert world.item_ids[[0, -1]].tolist() == ["0001", "0600"]


def test_tags_are_borne_as_often_as_their_probability_says(rng):
    n = 4000
    genres = rng.choice(["rising bells", "falling bells", "rising organ"], n).tolist()
    tags = draw_tags(
        genres,
        rng.standard_normal((n, 3)),
        rng.standard_normal((n, 4)),
        rng.dirichlet(np.ones(n)),
        rng,
    )
    assert len(set(tags.names)) == len(tags.names) == 4 + 6 + 8 + 2
    expected = tags.probabilities.sum(axis=0)
    spread = np.sqrt((tags.probabilities * (1 - tags.probabilities)).sum(axis=0))
    assert_array_equal(np.abs(tags.borne.sum(axis=0) - expected) < 4.5 * spread, True)
    is_organ = np.array([name.endswith("organ") for name in genres])
    organ = tags.probabilities[:, tags.names == "organ"].ravel()
    assert_array_equal(organ, np.where(is_organ, 0.9, 0.02))


def test_words_follow_the_traits_that_they_name(world):
    style = world.item_latent[:, 8:11]  # behind eight genres
    scene = world.item_latent[:, 11:15]
    names = world.tag_names.tolist()
    for high, low, trait in (
        ("bright", "dark", style[:, 0]),
        ("fast", "slow", style[:, 1]),
        ("loud drums", "soft drums", style[:, 2]),
        ("north", "south", scene[:, 0]),
        ("summer", "winter", scene[:, 3]),
    ):
        for word, sign in ((high, 1), (low, -1)):
            column = world.tag_probabilities[:, names.index(word)]
            order = np.argsort(sign * trait, kind="stable")
            assert (np.diff(column[order]) > -1e-12).all()
    inaudible = world.tag_names[~world.tag_is_audible].tolist()
    assert {"north", "night", "favourite", "seen live"} <= set(inaudible)
    audible = set(world.tag_names) - set(inaudible)
    assert {"bells", "rising", "bright", "slow"} <= audible
    north = world.tag_probabilities[:, names.index("north")]
    assert len(set(zip(world.artists, north, strict=True))) == 150  # of artists
    favourite = world.tag_probabilities[:, names.index("favourite")]
    rank = scipy.stats.spearmanr(favourite, world.popularity).statistic
    assert_allclose(rank, 1.0)


def test_songs_come_out_along_careers_around_the_heyday_of_a_genre(rng):
    n_artists, n_genres = 3000, 4
    genre = np.arange(n_artists) % n_genres
    artists = np.repeat(np.arange(n_artists), 3)
    dates = draw_release_dates(artists, genre, n_genres, rng)
    assert dates.dtype == np.dtype("datetime64[D]")
    assert dates.max() <= np.datetime64("2012-12-31")
    assert dates.min() >= np.datetime64("1952-12-30")
    years = dates.astype("datetime64[Y]").astype(int).reshape(n_artists, 3)
    within = years.var(axis=1, ddof=1).mean()
    total = years.var()
    of_genres = np.var([years[genre == g].mean() for g in range(n_genres)])
    assert within < 0.75 * total
    assert of_genres > 4.0


def test_more_listeners_do_not_change_the_songs():
    few = make_music_catalog(**SMALL, random_state=0)
    many = make_music_catalog(**SMALL | {"n_users": 90}, random_state=0)
    for name in ("item_latent", "popularity", "item_tags", "release_dates", "titles"):
        assert_array_equal(few[name], many[name])
    assert_array_equal(few.waveforms, many.waveforms)


def test_lazy_songs_are_the_same_and_cross_processes(global_random_seed):
    kept = make_music_catalog(**SMALL, random_state=global_random_seed)
    lazy = make_music_catalog(**SMALL, lazy=True, random_state=global_random_seed)
    assert len(lazy.waveforms) == 12
    for i in (3, 0, 3):
        assert_array_equal(lazy.waveforms[i], kept.waveforms[i])
    some = pickle.loads(pickle.dumps(lazy.waveforms[[5, 2]]))
    assert_array_equal(some[1], kept.waveforms[2])
    assert_array_equal(lazy.titles, kept.titles)
    ours, theirs = (MFCCExtractor().fit_transform(c.waveforms) for c in (lazy, kept))
    assert_array_equal(ours.values, theirs.values)


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_songs_that_are_there_are_not_written_again(tmp_path):
    def written():
        return [i for i, path in enumerate(again.paths) if os.stat(path).st_mtime > 1]

    for path in make_music_catalog(tmp_path, **SMALL, random_state=0).paths:
        os.utime(path, (1, 1))
    whole = contents(tmp_path)
    others = SMALL | {"n_users": 90, "audible": 0.2}
    again = make_music_catalog(tmp_path, **others, random_state=0)
    assert again.plays.shape == (12, 90)
    assert not written() and contents(tmp_path) == whole
    os.remove(again.paths[4])
    with open(again.paths[7], "r+b") as file:
        file.truncate(500)
    Path(again.paths[9]).write_bytes(b"something else")
    make_music_catalog(tmp_path, **SMALL, random_state=0, n_jobs=2)
    assert written() == [4, 7, 9] and contents(tmp_path) == whole


@pytest.mark.parametrize(
    "change",
    [{"random_state": 1}, {"duration_s": 0.25}, {"sr": 11025}, {"n_artists": 5}],
)
def test_songs_of_another_world_are_played_anew(tmp_path, change):
    make_music_catalog(tmp_path / "both", **SMALL, random_state=0)
    settings = {**SMALL, "random_state": 0} | change
    make_music_catalog(tmp_path / "both", **settings)
    make_music_catalog(tmp_path / "fresh", **settings)
    assert contents(tmp_path / "both") == contents(tmp_path / "fresh")


def test_other_readers_take_the_files_for_what_they_are(tmp_path):
    catalog = make_music_catalog(tmp_path, **SMALL, random_state=0)
    for path in catalog.paths:
        info = soundfile.info(path)
        assert (info.frames, info.samplerate, info.channels) == (11025, 22050, 1)
        assert info.format == "WAV" and "should be" not in info.extra_info
        content = Path(path).read_bytes()
        assert len(content) == int.from_bytes(content[4:8], "little") + 8
    assert MFCCExtractor(on_error="raise").fit_transform(catalog.paths).lengths.min()


def test_subset_of_the_world_keeps_its_truth(world):
    subset = make_subset(world, 100, 50, random_state=0)
    scores = subset.true_item_factors @ subset.true_user_factors.T
    assert scores.shape == subset.plays.shape == (100, 50)
    assert subset.item_tags.shape == (100, len(subset.tag_names))
    assert len(subset.release_dates) == len(subset.waveforms) == 100
    assert mean_auc(subset.plays, scores) > 0.8
