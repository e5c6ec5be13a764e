"""Catalogues: synthetic worlds and tables of real plays."""

from skcoldstart.datasets._music import make_music_catalog

__all__ = ["make_music_catalog"]
