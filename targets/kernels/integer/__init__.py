"""Kernels of integer programs: one operator of `edgemoe.integer.operators` per file."""
