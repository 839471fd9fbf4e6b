"""Full-integer programs: static scales, an integer graph, and its exact NumPy reference."""
