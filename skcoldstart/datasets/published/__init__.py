"""Loaders of published data sets in their original files."""
