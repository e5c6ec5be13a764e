"""Numba kernels: arrays in, arrays out, and nothing else."""
