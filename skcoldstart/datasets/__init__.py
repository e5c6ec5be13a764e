"""Catalogues: synthetic worlds and tables of real plays."""

from skcoldstart.datasets._catalog import load_catalog
from skcoldstart.datasets._music import make_music_catalog

__all__ = ["load_catalog", "make_music_catalog"]
