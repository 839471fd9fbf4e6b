"""Measures `edgemoe` against its peers on the same layers and models: `python -m benchmarks`."""
