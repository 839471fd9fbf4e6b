"""Write a graph as a .onnx file: large weights go beside it, one after the other."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.errors import ModelError

INLINE_BYTES = 1 << 31
"""Weights of so many bytes or more go into a second file: protobuf holds no message above 2 GiB."""
MARGIN = 64 << 20  # for nodes, names and metadata
ALONE = 1024  # bytes of a weight that goes into the second file


def weight_bytes(model: ir.Model) -> int:
    """Return the bytes of all weights; none of them is read."""
    return sum(
        value.const_value.nbytes
        for graph in graph_facts.graphs_of(model)
        for value in graph.initializers.values()
        if value.const_value is not None
    )


def write_onnx(model: ir.Model, path: Path, *, inline_bytes: int | None = None) -> list[Path]:
    """Write `model` to `path`; returns the files: one, or two with the weights in `NAME.data`.

    Weights are written one by one from where they lie, so no copy of the model is made. Both files
    appear when they are complete.

    Raises:
        ModelError: the folder does not exist, or cannot be written.
    """
    if path.suffix != ".onnx":
        raise ModelError(f"{path} does not end in .onnx; give a name like {path.stem}.onnx")
    limit = INLINE_BYTES - MARGIN if inline_bytes is None else inline_bytes
    names = [path.name, *([f"{path.name}.data"] if weight_bytes(model) >= limit else [])]
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            draft = Path(folder) / path.name
            if len(names) == 1:
                ir.save(model, draft)
            else:
                ir.save(model, draft, external_data=names[1], size_threshold_bytes=ALONE)
            for name in reversed(names):  # the weights first
                (Path(folder) / name).replace(path.parent / name)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror or error}") from error
    return [path.parent / name for name in names]
