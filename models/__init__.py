"""Reference models in PyTorch for every family that the compiler claims, with their checkpoints."""
