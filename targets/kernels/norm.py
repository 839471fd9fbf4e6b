"""`norm`: layer norm or root-mean-square norm of rows, with scale and shift.

layer: (x - mean(x)) / sqrt(mean((x - mean)^2) + epsilon) * scale + shift (Ba et al., 2016, eq. 4)
rms:   x / sqrt(mean(x^2) + epsilon) * scale (Zhang and Sennrich, 2019, eq. 4)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Rows
from edgemoe.targets.kernels import columns, reduce, static_rows
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

TOGETHER = 4
"""Registers of partial sums."""


Store = Callable[[Expr, Expr, Expr, Expr, int], None]
"""Emits the store of `lanes` values: store(row, start of the row, column j, value, lanes)."""


@dataclass(frozen=True)
class Norm:
    """The kernel for one kind of norm; one task per row."""

    kind: Literal["layer", "rms"]
    scale: bool
    shift: bool
    epsilon: float

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, out, scale?, shift?, width)."""
        return ("float*",) * (2 + self.scale + self.shift) + ("int32_t",)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["scale"] * self.scale + ["shift"] * self.shift
            pointers = {"x": "float32", **self._results, **dict.fromkeys(names, "float32")}
            buffers, (width, begin, end) = tiles.parameters(pointers, ("width",))
            x, store = buffers["x"], self._storer(isa, buffers, width)
            share = tiles.local(tirx.const(1.0, "float32") / reduce.as_float(width))
            with T.serial(begin, end) as row:
                start = tiles.local(row * width)
                mean = tirx.const(0.0, "float32")
                if self.kind == "layer":
                    total = reduce.reduce_row(
                        width, isa.lanes, 0.0, reduce.add,
                        lambda j, n: tiles.load(x, start + j, n), TOGETHER,
                    )  # fmt: skip
                    mean = tiles.local(total * share)

                def centred(j: Expr, lanes: int) -> Expr:
                    value = tiles.load(x, start + j, lanes)
                    return value - tiles.splat(mean, lanes) if self.kind == "layer" else value

                def square(j: Expr, lanes: int) -> Expr:
                    value = tiles.local(centred(j, lanes))
                    return value * value

                squares = reduce.reduce_row(width, isa.lanes, 0.0, reduce.add, square, TOGETHER)
                epsilon = tirx.const(self.epsilon, "float32")
                factor = tiles.local(
                    tirx.const(1.0, "float32") / tirx.sqrt(squares * share + epsilon)
                )

                def write(j: Expr, lanes: int) -> None:
                    value = centred(j, lanes) * tiles.splat(factor, lanes)
                    if self.scale:
                        value = value * tiles.load(buffers["scale"], j, lanes)
                    if self.shift:
                        value = value + tiles.load(buffers["shift"], j, lanes)
                    store(row, start, j, value, lanes)

                columns.for_columns(width, isa.lanes, write)
        return tiles.Built(builder.get())

    @property
    def _results(self) -> dict[str, str]:
        """Names and dtypes of the pointers between x and the parameters."""
        return {"out": "float32"}

    def _storer(self, isa: Isa, buffers: dict[str, tirx.Var], width: Expr) -> Store:
        """What writes values of a row, which begins at element `start`, from column j on."""
        del isa, width

        def store(row: Expr, start: Expr, j: Expr, value: Expr, lanes: int) -> None:
            del row
            tiles.store(buffers["out"], start + j, value, lanes)

        return store


HANDLES = ("LayerNormalization", "RMSNormalization")


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the node normalises the last axis of a float32 tensor."""
    del function
    x = node.inputs[0]
    shape = graph_facts.shape_of(x)
    if x is None or not shape or x.dtype != ir.DataType.FLOAT:
        return False
    last = graph_facts.axis_of(node, -1, len(shape)) == len(shape) - 1
    used = [o for o in node.outputs if o.uses() or o.is_graph_output()]
    sizes = [graph_facts.size_of(v) for v in node.inputs[1:] if v is not None]
    return last and used == [node.outputs[0]] and all(s == shape[-1] for s in sizes)


def lower(site: Site) -> None:
    """Append the norm to the program."""
    x, *more = site.node.inputs
    assert x is not None
    given = [v for v in more if v is not None]
    shape = shape_of(x)
    kind: Literal["layer", "rms"] = "layer" if site.node.op_type == "LayerNormalization" else "rms"
    epsilon = graph_facts.float_attribute(site.node, "epsilon", 1e-5)
    spec = Norm(kind, len(given) > 0, len(given) > 1, epsilon)
    source, *parameters = site.pointers([x, *given])
    out = site.outputs[0]
    rows = size_of(shape[:-1])
    results, codes = [Pointer(out)], static_rows.written_as_codes(site)
    if codes is not None:
        from edgemoe.targets.kernels.norm_codes import NormCodes

        spec = NormCodes(kind, len(given) > 0, len(given) > 1, epsilon)
        results = [codes.new_codes(site.program, out), codes.facts(site.program)]
    site.program.step(
        spec, "norm", [source, *results, *parameters, shape[-1]],
        in_place=[(out, source.buffer)] if codes is None else [], tasks=rows,
        label=f"{kind} norm of {rows} rows of {shape[-1]}", origin=site.origin, nodes=site.nodes,
        nbytes=(8 if codes is None else 5) * size_of(shape),
        reason="norm of the last axis" + (", written as codes" if codes else ""),
        rows=None if codes
        else Rows(rows, (4 * shape[-1], 4 * shape[-1], *(0 for _ in parameters), 0)),
    )  # fmt: skip
