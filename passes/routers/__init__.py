"""Router families, one per file."""
