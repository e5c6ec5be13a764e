"""Displays that explain a fitted recommender."""
