"""Recommenders: a factorizer and a regressor joined, and honest baselines."""
