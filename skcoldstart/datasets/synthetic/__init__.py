"""Synthetic music worlds: songs to hear, and listeners who play them."""
