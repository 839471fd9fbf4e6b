"""`MatMul` of an integer program: two activations, a[.., M, K] times b[.., N, K]."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import SCALING, limited, rescale
from edgemoe.targets.kernels.integer.norm import cell
from edgemoe.targets.kernels.integer.site import C_TYPES, dtype_of, scaling_of
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, reader, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("edgemoe.integer.MatMul",)


@dataclass(frozen=True)
class MatMul:
    """The kernel; one task per row of a. `group` matrices of a share one of b."""

    a: str
    out: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (a, b, out, rows, columns, depth, group, multiplier, scaling...)."""
        pointers = (C_TYPES[self.a], "int8_t*", C_TYPES[self.out])
        return (*pointers, *["int32_t"] * (5 + len(SCALING)))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        names = ("rows", "columns", "depth", "group", "multiplier", *SCALING)
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, numbers = tiles.parameters({"a": self.a, "b": "int8", "out": self.out}, names)
            n = dict(zip((*names, "begin", "end"), numbers, strict=True))
            columns, depth = n["columns"], n["depth"]
            with T.serial(n["begin"], n["end"]) as row:
                matrix = local(tirx.truncdiv(row, n["rows"] * n["group"]))
                start, other = local(row * depth), local(matrix * columns * depth)
                with T.serial(0, columns) as j:
                    total, at = cell(0), local(other + j * depth)
                    with T.serial(0, depth) as k:
                        a = tirx.Cast("int32", buffers["a"][start + k])
                        b = tirx.Cast("int32", buffers["b"][at + k])
                        T.buffer_store(total, total[0] + a * b, [0])
                    value = rescale(total[0], n["multiplier"], n["left"], n["right"]) + n["zero"]
                    result = limited(value, n["low"], n["high"], self.out)
                    T.buffer_store(buffers["out"], result, [row * columns + j])
        return tiles.Built(builder.get())


def lower(site: Site) -> None:
    """Append the product."""
    node = site.node
    a, b, multiplier = node.inputs[:3]
    assert a is not None and b is not None and multiplier is not None
    (*lead, rows, depth), (*others, columns, _) = shape_of(a), shape_of(b)
    matrices, repeats = size_of(tuple(lead)), size_of(tuple(others))
    if tuple(lead[: len(lead)]) != tuple(others) and repeats != 1:
        raise AssertionError(f"{node.name}: batches {lead} and {others}")
    site.program.step(
        MatMul(dtype_of(a), dtype_of(node.outputs[0])), "matmul",
        [*site.pointers([a, b]), Pointer(site.outputs[0]), rows, columns, depth,
         matrices // repeats, int(reader(multiplier)().reshape(-1)[0]), *scaling_of(node)],
        tasks=matrices * rows, label=f"{matrices} x {rows}x{depth} by {depth}x{columns}",
        origin=site.origin, nodes=site.nodes, macs=matrices * rows * depth * columns,
        nbytes=matrices * (rows + columns) * depth, reason="integer product of activations",
    )  # fmt: skip
