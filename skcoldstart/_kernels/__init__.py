"""Numba kernels: functions of arrays and numbers."""
