"""Calibration, pruning and mixed precision: the smallest model that keeps a promised accuracy.

The graph goes in after recognition; what was decided comes out as changes to that graph (fewer
experts) and as a `Precision` (a format for each weight), which lowering reads.
"""
