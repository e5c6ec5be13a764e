"""Frames to counts: vector quantisation and bags of words."""
