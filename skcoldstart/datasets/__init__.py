"""Catalogues: synthetic worlds, tables of real plays, and published data sets."""

from skcoldstart.datasets._catalog import load_catalog
from skcoldstart.datasets._events import plays_from_events
from skcoldstart.datasets._subset import make_subset
from skcoldstart.datasets.published._artist_terms import load_artist_terms
from skcoldstart.datasets.published._citeulike import load_citeulike
from skcoldstart.datasets.published._hetrec import load_hetrec
from skcoldstart.datasets.published._lastfm import load_lastfm_tags
from skcoldstart.datasets.published._listenbrainz import load_listenbrainz
from skcoldstart.datasets.published._melon import load_melon
from skcoldstart.datasets.published._million_segments import load_msd_segments
from skcoldstart.datasets.published._million_songs import load_msd_songs
from skcoldstart.datasets.published._music4all import load_music4all
from skcoldstart.datasets.published._taste_profile import (
    load_sid_mismatches,
    load_taste_profile,
    load_unique_tracks,
)
from skcoldstart.datasets.published._yambda import load_yambda, load_yambda_embeddings
from skcoldstart.datasets.synthetic._music import make_music_catalog

__all__ = [
    "load_artist_terms",
    "load_catalog",
    "load_citeulike",
    "load_hetrec",
    "load_lastfm_tags",
    "load_listenbrainz",
    "load_melon",
    "load_msd_segments",
    "load_msd_songs",
    "load_music4all",
    "load_sid_mismatches",
    "load_taste_profile",
    "load_unique_tracks",
    "load_yambda",
    "load_yambda_embeddings",
    "make_music_catalog",
    "make_subset",
    "plays_from_events",
]
