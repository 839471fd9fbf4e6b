"""Kernels for GPUs, one per file, in place of those of `targets/kernels`."""
