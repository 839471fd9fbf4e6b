"""`quantise_static`: float32 rows to int8 codes with a scale that is known at compile time.

No row is looked at before it is rounded (`static_codes` has the formula). One task per row; the end
of a row is filled with zeros. Where everything that reads a tensor multiplies it with the same
static scale, the kernel that makes it writes codes, and this one has nothing to do: see
`written_as_codes`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.integer.quantised import Quantised
from edgemoe.plan import Pointer
from edgemoe.precision import Unit
from edgemoe.targets.kernels import columns
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.static_codes import Coder, facts_of, words_per_row
from edgemoe.targets.program import Program
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

TOGETHER = 4
"""Registers of values of one step: their bytes fill one."""


@dataclass(frozen=True)
class QuantiseStatic:
    """The kernel, which is the same for all scales."""

    uses = ("dot",)
    """Its results lie as the dot product wants them."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (rows, codes, facts, depth)."""
        return ("float*", "int32_t*", "float*", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (depth, begin, end) = tiles.parameters(
                {"rows": "float32", "codes": "int8", "facts": "float32"}, ("depth",)
            )
            coder = Coder(isa, buffers["facts"])
            nbytes = tiles.local(coder.row_bytes(depth))
            with T.serial(begin, end) as row:
                start, to = tiles.local(row * depth), tiles.local(row * nbytes)

                def visit(j: tirx.Expr, n: int) -> None:
                    value = tiles.load(buffers["rows"], start + j, n)
                    coder.store(buffers["codes"], to, j, value, n)

                columns.for_columns(depth, isa.lanes, visit, TOGETHER)
                with T.serial(0, tirx.truncdiv(nbytes, coder.copies) - depth) as k:
                    coder.pad(buffers["codes"], to, tiles.local(depth + k))
        return tiles.Built(builder.get())


@dataclass(frozen=True)
class StaticInput:
    """Rows as static products read them: [rows, depth] with one scale."""

    rows: int
    depth: int
    scale: Quantised

    def key(self, source: Pointer) -> tuple[object, ...]:
        """What the program knows their codes by."""
        return ("static", source, self)

    def new_codes(self, program: Program, source: int) -> Pointer:
        """A buffer for the codes of buffer `source`, which its writer fills."""
        name = f"{program.buffers[source].name}.codes"
        made = Pointer(program.buffer(name, "int32", (self.rows, words_per_row(self.depth))))
        program.quantised[self.key(Pointer(source))] = made
        return made

    def facts(self, program: Program) -> Pointer:
        """The numbers that kernels need, among the weights."""
        return Pointer(program.constant("static scale", facts_of(self.scale)))


def input_of(site: Site, unit: Unit, rows: int) -> StaticInput:
    """What the product with a unit reads, which has a static scale."""
    scale = site.program.precision.scale_of(unit)
    assert scale is not None
    return StaticInput(rows, unit.depth, scale)


def pointers(
    site: Site, source: Pointer, unit: Unit, rows: int, weights: int, panel_bytes: int
) -> list[Pointer]:
    """Codes, facts and column sums for a product; appends the step that rounds where none has.

    The sums lie behind the panels in `weights`, `panel_bytes` from its start.
    """
    program, given = site.program, input_of(site, unit, rows)
    codes: Pointer | None = program.quantised.get(given.key(source))
    facts = given.facts(program)
    if codes is None:
        codes = given.new_codes(program, source.buffer)
        program.step(
            QuantiseStatic(), "quantise_static", [source, codes, facts, given.depth], tasks=rows,
            label=f"quantise {rows} rows of {given.depth}", origin=site.origin, nodes=site.nodes,
            nbytes=5 * rows * given.depth, reason="int8 activations, a scale from calibration",
        )  # fmt: skip
    return [codes, facts, Pointer(weights, panel_bytes)]


def written_as_codes(site: Site) -> StaticInput | None:
    """What reads the result of a site, if nothing but products with one static scale does."""
    from edgemoe.targets.kernels import linear

    value = site.node.outputs[0]
    uses = list(value.uses())
    if value.is_graph_output() or not uses or not site.program.precision.activations:
        return None
    found: set[StaticInput] = set()
    for node, place in uses:
        if graph_facts.kind_of(node) not in ("Linear", "ChannelMix") or place != 0:
            return None
        reader = Site(node, site.functions[node.op_identifier()], site.program, {}, ())
        weight = node.inputs[1]
        if weight is None or not graph_facts.is_constant(weight):
            return None
        transposed = linear.is_transposed(reader)
        depth = shape_of(weight)[0 if transposed else 1]
        rows = size_of(shape_of(value)) // depth
        unit = linear.unit_of(reader, weight, transposed, rows)
        if not site.program.precision.choose(unit).static_activations:
            return None
        found.add(input_of(reader, unit, rows))
    return found.pop() if len(found) == 1 else None
