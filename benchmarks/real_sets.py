"""Real sets of plays and content, split into training items and items nobody played.

Every set is read from one folder and is split anew for each seed, in one way that all
systems share. ``real_quality.py`` runs systems on them.

=====================  ===========================================================
set                    items held out
=====================  ===========================================================
citeulike-a            the official cold split; a seed changes only the models
citeulike-t            five shuffled folds of the articles
hetrec                 20 % of the artists; content is the tags that one half of the
                       users gave, plays are those of the other half
taste-song             20 % of the songs of the Taste Profile; terms of the artist
taste-artist           20 % of the artists of the Taste Profile
=====================  ===========================================================

Rare tags (fewer than five artists), rare terms (fewer than three artists), artists
without a tag that is left, and songs of the official list of mismatches are dropped.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import GroupShuffleSplit, KFold, ShuffleSplit
from sklearn.preprocessing import Normalizer, StandardScaler

from skcoldstart.datasets import (
    load_artist_terms,
    load_citeulike,
    load_hetrec,
    load_msd_songs,
    load_sid_mismatches,
    load_taste_profile,
)

N_COMPONENTS = 300  # of text and tags, where a system takes dense content


@dataclass(frozen=True)
class RealSet:
    """Content and plays of all items, and which of them are held out.

    Shapes: `X` (n_items, n_features), `plays` (n_items, n_users), `groups` (n_items,)
    or None, `train` and `test` indices of items.
    """

    name: str
    X: object
    plays: sp.csr_array
    groups: np.ndarray | None
    train: np.ndarray
    test: np.ndarray
    by_group: bool = False

    @property
    def is_sparse(self):
        """Whether content is a table of counts instead of dense features."""
        return sp.issparse(self.X)

    @property
    def known_users(self):
        """Users with a play of a training item; the others cannot be told apart."""
        return np.flatnonzero(
            np.bincount(self.plays[self.train].indices, minlength=self.plays.shape[1])
        )

    def inner_splits(self, n_splits, seed):
        """Return splits of the training items of the kind of the outer one."""
        splitter = GroupShuffleSplit if self.by_group else ShuffleSplit
        groups = None if self.groups is None else self.groups[self.train]
        splits = splitter(n_splits, test_size=0.2, random_state=seed)
        return list(splits.split(self.train, groups=groups))

    def sparse_steps(self):
        """Return steps to content for cosines: all words, weighed by rarity."""
        return [TfidfTransformer(sublinear_tf=True)] if self.is_sparse else []

    def dense_steps(self, *, unit=True):
        """Return steps to dense content; tags and words are always of unit length."""
        if not self.is_sparse:
            return [Normalizer() if unit else StandardScaler()]
        width = min(N_COMPONENTS, self.X.shape[1] - 1)
        return [
            TfidfTransformer(sublinear_tf=True),
            TruncatedSVD(width, random_state=0),
            Normalizer(),
        ]


def citeulike_a(folder, seed):
    """Return the official cold split, 50 features of the text."""
    articles = _citeulike(folder / "citeulike-a")
    return RealSet(
        "citeulike-a",
        articles.X,
        articles.plays,
        None,
        articles.train_idx,
        articles.test_idx,
    )


def citeulike_t(folder, seed):
    """Return fold `seed` of five, counts of words."""
    articles = _citeulike(folder / "citeulike-t")
    n_items = articles.plays.shape[0]
    folds = KFold(5, shuffle=True, random_state=0).split(np.empty(n_items))
    train, test = list(folds)[seed % 5]
    return RealSet("citeulike-t", articles.words, articles.plays, None, train, test)


def hetrec(folder, seed):
    """Return tags of half of the users and plays of the other half."""
    lastfm = _hetrec(folder / "hetrec2011-lastfm-2k" / "hetrec2011-lastfm-2k.zip")
    n_artists, n_users = lastfm.plays.shape
    order = np.random.default_rng(seed).permutation(n_users)
    taggers, listeners = np.sort(order[: n_users // 2]), np.sort(order[n_users // 2 :])
    given = lastfm.tag_assignments[np.isin(lastfm.tag_assignments[:, 1], taggers)]
    tags = sp.csr_array(
        (np.ones(len(given)), (given[:, 0], given[:, 2])),
        (n_artists, len(lastfm.tags)),
    )
    plays = lastfm.plays[:, listeners]
    kept = np.flatnonzero((np.diff(tags.indptr) > 0) & (np.diff(plays.indptr) > 0))
    tags, plays = _without_rare(tags[kept], least=5), plays[kept]
    kept = np.flatnonzero(np.diff(tags.indptr))
    train, test = _split(ShuffleSplit, len(kept), seed)
    return RealSet("hetrec", tags[kept], plays[kept], None, train, test)


def taste_song(folder, seed):
    """Return songs held out; terms of the artist, who mostly has other songs."""
    X, plays, artists = _taste(folder)
    train, test = _split(ShuffleSplit, len(artists), seed)
    return RealSet("taste-song", X, plays, artists, train, test)


def taste_artist(folder, seed):
    """Return artists held out with all of their songs."""
    X, plays, artists = _taste(folder)
    train, test = _split(GroupShuffleSplit, len(artists), seed, artists)
    return RealSet("taste-artist", X, plays, artists, train, test, by_group=True)


SETS = {
    "citeulike-a": citeulike_a,
    "citeulike-t": citeulike_t,
    "hetrec": hetrec,
    "taste-song": taste_song,
    "taste-artist": taste_artist,
}


def _split(splitter, n_items, seed, groups=None):
    splits = splitter(1, test_size=0.2, random_state=seed)
    return next(splits.split(np.empty(n_items), groups=groups))


def _without_rare(table, least):
    """Keep the columns that at least so many rows have."""
    n_rows = np.bincount(table.indices, minlength=table.shape[1])
    return sp.csr_array(table[:, np.flatnonzero(n_rows >= least)])


@cache
def _citeulike(folder: Path):
    return load_citeulike(folder)


@cache
def _hetrec(path: Path):
    return load_hetrec(path)


@cache
def _taste(folder: Path):
    """Return terms of each song's artist, plays, and artists."""
    lists = folder / "tasteprofile"
    taste = load_taste_profile(lists / "train_triplets.txt")
    wrong = load_sid_mismatches(lists / "sid_mismatches.txt")
    kept = np.flatnonzero(~np.isin(taste.item_ids, wrong.item_ids))
    plays = taste.plays[kept]
    plays = plays[:, np.flatnonzero(np.bincount(plays.indices))]
    songs = load_msd_songs(folder / "msd" / "songs.tsv", songs=taste.item_ids[kept])
    known = load_artist_terms(
        folder / "msd" / "artist_terms.tsv", artists=songs.artist_ids
    )
    _, first = np.unique(songs.artist_ids, return_index=True)
    common = np.bincount(known.X[first].indices, minlength=known.X.shape[1]) >= 3
    return sp.csr_array(known.X[:, common]), plays, songs.artist_ids
