"""Plays to factors: weighted matrix factorization."""
