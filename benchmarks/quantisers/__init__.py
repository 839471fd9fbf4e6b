"""Quantisers of other projects: one file each, see `benchmarks.quantiser`."""
