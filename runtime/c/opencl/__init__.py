"""C of the host program of OpenCL artifacts."""
