"""One file per peer; `benchmarks.contestant` says what such a file holds."""
