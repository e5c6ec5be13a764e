"""Catalogues: synthetic worlds and tables of real plays."""
