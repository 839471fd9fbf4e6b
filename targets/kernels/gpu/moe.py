"""A MoE region on a GPU: slots grouped on the device, one launch per product, a weighted sum.

Nothing comes back to the host in between. One token reads its experts by their ids; more are
grouped first. The body of an expert is computed where its products are (see `kernels/moe_stages`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Region, WeightSection
from edgemoe.targets.gpu.program import program_at
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import moe
from edgemoe.targets.kernels.body import shape_of
from edgemoe.targets.kernels.experts import Source
from edgemoe.targets.kernels.gpu import integer_tile
from edgemoe.targets.kernels.gpu.combine import Combine
from edgemoe.targets.kernels.gpu.experts import GpuExperts, Result
from edgemoe.targets.kernels.gpu.group import TILE, GroupSlots, most_tiles
from edgemoe.targets.kernels.gpu.linear import product_cut
from edgemoe.targets.kernels.gpu.move import Move
from edgemoe.targets.kernels.gpu.quantise_rows import quantised
from edgemoe.targets.kernels.gpu.weights import ELEMENT, Layout
from edgemoe.targets.kernels.moe_stages import LINEARS, Stage, stages_of
from edgemoe.targets.site import Array, Site, reader
from edgemoe.weight_format import WeightFormat

HANDLES = moe.HANDLES
accepts = moe.accepts


def lower(site: Site) -> None:
    """Append the region, or a single expert product, to the program."""
    if graph_facts.kind_of(site.node) in LINEARS:
        _lower_single(site)
        return
    assert site.function is not None
    routing = site.node.metadata_props["edgemoe.routing"]
    stages = stages_of(site.function)
    route = site.node.inputs[1]
    assert route is not None
    tokens, width = shape_of(route)
    experts = shape_of(site.actual(stages[-1].ports[0].weight))[0]
    group = _Group(site, route, tokens, width, experts, scored=routing == "scored")
    first = site.node.inputs[0]
    assert first is not None
    rows = site.buffer(first)
    nbytes, macs = 0, 0
    for position, stage in enumerate(stages):
        columns, depth = stage.ports[0].columns, moe.depth_of(site, stage)
        last = position == len(stages) - 1
        out = program_at(site).buffer(
            f"{site.node.name}.{'slots' if last else f'hidden{position}'}", "float32",
            (tokens * width, columns),
        )  # fmt: skip
        source: Source = "sorted" if position else "token"
        given = group.product(stage, rows, out, source, "slot" if last else "sorted")
        each = depth * columns * len(stage.ports)
        macs, nbytes, rows = macs + each, nbytes + each * given.bits // 8, out
    group.combine(rows, site.outputs[0], stages[-1].ports[0].columns)
    program_at(site).regions.append(
        Region(
            name=site.node.op_type, origin=site.origin,
            routing="scored" if routing == "scored" else "indexed", buffer=site.buffer(route),
            routed_at=group.step, tokens=tokens, experts=experts, chosen=width,
            expert_bytes=nbytes, expert_macs=macs, constant_ids=moe.constant_ids(route),
        )
    )  # fmt: skip


class _Group:
    """The order of the slots of one routing, and products that follow it."""

    def __init__(
        self, site: Site, route: ir.Value, tokens: int, chosen: int, experts: int, *, scored: bool
    ) -> None:
        self.site, self.tokens, self.chosen, self.experts = site, tokens, chosen, experts
        self.scored, self.slots = scored, tokens * chosen
        self.routes = site.buffer(route)
        self.device: Graphics = program_at(site).gpu
        self.region = len(program_at(site).regions)
        self.threads = 1
        while self.threads < min(experts, self.device.threads):
            self.threads *= 2
        # One token has its experts at hand, each once.
        self.direct = tokens == 1 and not scored
        self.lists: dict[int, list[Pointer]] = {}
        self.step = len(program_at(site).steps)

    @property
    def _facts(self) -> dict[str, Any]:
        return {"origin": self.site.origin, "nodes": self.site.nodes, "region": self.region}

    def _lists(self, height: int) -> list[Pointer]:
        """(ids), or (order, tiles) for tiles of `height` rows: made once for all products."""
        if self.direct:
            return [Pointer(self.routes)]
        if height not in self.lists:
            program, name = program_at(self.site), self.site.node.name
            order = program.buffer(f"{name}.order{height}", "int32", (self.slots,))
            size = 1 + TILE * most_tiles(self.slots, self.experts, height)
            tiles = program.buffer(f"{name}.tiles{height}", "int32", (size,))
            spec = GroupSlots(self.scored, self.slots, self.experts, height, self.threads)
            program.step(
                spec, "group_slots",
                [Pointer(self.routes), Pointer(order), Pointer(tiles)],
                label=f"group {self.slots} slots by {self.experts} experts",
                nbytes=8 * self.slots, reason="a thread per expert, in the order of slots",
                **self._facts,
            )  # fmt: skip
            self.lists[height] = [Pointer(order), Pointer(tiles)]
        return self.lists[height]

    def product(
        self, stage: Stage, rows: int, out: int, source: Source, result: Result
    ) -> WeightFormat:
        """Append one stage; returns the format of its weights."""
        site, program = self.site, program_at(self.site)
        given = program.precision.choose(moe.unit_of(site, stage, self.slots))
        ports, columns = len(stage.ports), stage.ports[0].columns
        layout = Layout(given, moe.depth_of(site, stage), columns * ports)
        epilogue = moe.plain_indexing(stage.epilogue)
        # Slots of scores that are zero are no rows; how many there are, nobody knows before.
        rows_each = self.slots / self.experts if self.scored else (
            self.slots / min(self.experts, self.slots)
        )  # fmt: skip
        sets = min(self.slots, self.experts)
        cut = product_cut(self.device, layout, ports, 1 if self.direct else rows_each, sets)
        why = integer_tile.why_floats(self.device, cut)
        if 6 + len(stage.body.operands) > self.device.storage_buffers:
            why = why or "codes and their scales bind one buffer more than the device has"
        elif self.scored and source == "sorted":
            why = why or "scored experts: most rows that would be rounded are nobody's"
        integer = program.multiplies_integers(given, why)
        places = [Pointer(rows)]
        if integer:
            cut = integer_tile.cut_of(self.device, ports, rows_each)
            count = self.tokens if source == "token" else self.slots
            places = quantised(program, rows, count, layout, **self._facts)
        spec = GpuExperts(
            epilogue, layout, ports, source, result, self.slots, self.experts, self.chosen, cut,
            self.direct, integer,
        )  # fmt: skip
        operands = [
            site.pointers([moe.cut(site, value, indexing)])[0]
            for value, indexing in zip(stage.body.operands, stage.body.indexing, strict=True)
        ]
        program.step(
            spec, "experts",
            [*places, Pointer(_place(site, stage, layout)), Pointer(out),
             *self._lists(cut.rows), *operands],
            label=f"experts {self.slots} rows x {layout.depth} -> {columns}{ex.describe(epilogue)}",
            macs=self.slots * layout.depth * layout.columns,
            nbytes=4 * min(self.experts, self.slots) * layout.words
            + 4 * self.slots * (layout.depth + columns),
            reason=f"{ports} product(s) per expert, {given}; "
            + ("experts by id" if self.direct else f"tiles of {cut.rows} rows")
            + (" of int8" if integer else ""), **self._facts,
        )  # fmt: skip
        return given

    def combine(self, y: int, out: int, columns: int) -> None:
        """Append the sum over the slots of every token."""
        threads = self.device.threads
        spec = Combine(self.scored, self.tokens, self.chosen, self.experts, columns, threads)
        program_at(self.site).step(
            spec, "combine", [Pointer(self.routes), Pointer(y), Pointer(out)],
            label=f"sum {self.chosen} slots of {self.tokens} tokens",
            nbytes=4 * columns * (self.slots + self.tokens), reason="in the order of slots",
            **self._facts,
        )  # fmt: skip


def _place(site: Site, stage: Stage, layout: Layout) -> int:
    """Put the packed weights of a stage into the weight table, one section per expert."""
    weights = [site.actual(port.weight) for port in stage.ports]
    readers = [reader(weight) for weight in weights]
    experts, name, given = shape_of(weights[0])[0], str(weights[0].name), layout.given
    precision = program_at(site).precision
    digests = tuple(
        program_at(site).weights.digest(weight.const_value, read)
        for weight, read in zip(weights, readers, strict=True)
    )
    ports = tuple((p.transposed, p.start, p.step, p.columns) for p in stage.ports)
    named = tuple(precision.key(str(weight.name)) for weight in weights)

    def packed(expert: int) -> Array:
        parts = [
            port.rows_of(read()[expert]) for port, read in zip(stage.ports, readers, strict=True)
        ]
        rounders = [precision.rounder(str(weight.name), expert) for weight in weights]
        words = layout.pack(parts, rounders)
        return np.pad(words, (0, layout.stride - layout.words))

    parts = [
        (
            WeightSection(f"{name}[{e}]", 0, 4 * layout.stride, "expert", e, given.stored),
            partial(packed, e),
        )
        for e in range(experts)
    ]
    key = ("experts", given, ports, digests, named)
    return program_at(site).words(name, key, parts, ELEMENT)


def _lower_single(site: Site) -> None:
    """One expert product whose layer has a body that the kernels do not compute."""
    stage, ids, slots, experts = moe.single_stage(site)
    port = stage.ports[0]
    group = _Group(site, ids, slots, 1, experts, scored=False)
    if moe.may_be_nobody(ids):
        words = slots * port.columns
        program_at(site).step(
            Move("fill", words, group.device.threads), "fill",
            [Pointer(site.outputs[0])], label=f"fill {4 * words} B with zeros",
            reason="tokens without an expert give zero", origin=site.origin,
        )  # fmt: skip
    given = group.product(stage, site.buffer(stage.rows), site.outputs[0], "slot", "slot")
    each = moe.depth_of(site, stage) * port.columns
    program_at(site).regions.append(
        Region(
            name=str(site.node.name or site.node.op_type), origin=site.origin, routing="indexed",
            buffer=site.buffer(ids), routed_at=group.step, tokens=slots, experts=experts, chosen=1,
            expert_macs=each, expert_bytes=each * given.bits // 8,
            constant_ids=moe.constant_ids(ids),
        )
    )  # fmt: skip
