"""The C sources that every CPU artifact is built with."""
