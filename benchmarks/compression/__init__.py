"""What the search of `edgemoe compile --max-loss` is worth: python -m benchmarks.compression."""
