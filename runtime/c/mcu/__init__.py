"""C for microcontrollers: what kernels call, and what runs artifacts in an emulator."""
