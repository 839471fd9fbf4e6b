"""Kernels, one family per file."""
