"""What runs on the device side of Python: needs NumPy and nothing of the compiler."""
