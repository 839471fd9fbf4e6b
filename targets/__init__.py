"""Targets: one TOML per device, one file per target family."""
