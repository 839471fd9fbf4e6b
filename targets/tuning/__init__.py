"""Tunings: which numbers of the kernel templates suit which processor, measured and kept."""
