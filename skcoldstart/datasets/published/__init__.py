"""Loaders of published data sets, in the files that they are published as."""
