"""Synthetic music catalogues: songs and the plays of listeners."""
