"""Plays and scores of items by users: validation, names, ranked lists."""
