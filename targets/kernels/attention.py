"""`attention`: softmax(scale * q k^T + mask) v for any strides, grouped queries and key counts.

One task per (batch, head, query). Keys are taken in blocks with a running maximum and sum (online
softmax, Milakov and Gimelshein, 2018), so that no row of scores is ever in memory. Keys outside
the unmasked range of a query are not read: with a KV cache of fixed capacity the cost follows the
length. The order of all sums depends on the key numbers alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import attention_form, graph_facts
from edgemoe.attention_form import LOWEST
from edgemoe.plan import Pointer
from edgemoe.strided_view import View, repeated
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

KEY_BLOCK = 32
"""Keys per step of the online softmax."""

MAX_HEAD_SIZE = 512
"""Largest head size: the running result of one query lies on the stack."""

STRIDES = tuple(
    f"{tensor}_{axis}" for tensor in ("q", "k", "v", "o", "m") for axis in ("batch", "head", "row")
)
"""Element strides, in the order of the kernel's integers; the last axis is contiguous."""


@dataclass(frozen=True)
class Attention:
    """What distinguishes one kernel from another."""

    scale: float
    mask: attention_form.MaskKind

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the parameters, in order.

        (q, k, v, out, mask?, heads, group, queries, keys, size, value_size, strides)
        """
        mask = {"none": (), "float": ("float*",)}.get(self.mask, ("int8_t*",))
        return ("float*",) * 4 + mask + ("int32_t",) * (6 + len(STRIDES))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = dict.fromkeys(("q", "k", "v", "out"), "float32")
            if self.mask != "none":
                names["mask"] = "float32" if self.mask == "float" else "int8"
            buffers, numbers = tiles.parameters(
                names, ("heads", "group", "queries", "keys", "size", "value_size", *STRIDES)
            )
            heads, group, queries, keys, size, value_size = numbers[:6]
            stride = dict(zip(STRIDES, numbers[6:-2], strict=True))
            begin, end = numbers[-2:]
            with T.serial(begin, end) as task:
                query = tiles.local(tirx.truncmod(task, queries))
                head = tiles.local(tirx.truncmod(tirx.truncdiv(task, queries), heads))
                batch = tiles.local(tirx.truncdiv(task, queries * heads))

                def start(tensor: str, head: Expr, row: Expr | int) -> Expr:
                    return tiles.local(
                        batch * stride[f"{tensor}_batch"] + head * stride[f"{tensor}_head"]
                        + row * stride[f"{tensor}_row"]
                    )  # fmt: skip

                key_head = tiles.local(tirx.truncdiv(head, group))
                q_at, o_at = start("q", head, query), start("o", head, query)
                k_at, v_at = start("k", key_head, 0), start("v", key_head, 0)
                m_at = start("m", head, query)

                first = T.alloc_buffer((1,), "int32")
                last = T.alloc_buffer((1,), "int32")
                T.buffer_store(first, 0, [0])
                T.buffer_store(last, keys, [0])
                if self.mask != "none":
                    self._unmasked_range(buffers["mask"], m_at, keys, first, last)

                result = T.alloc_buffer((MAX_HEAD_SIZE,), "float32")
                peak = T.alloc_buffer((1,), "float32")
                total = T.alloc_buffer((1,), "float32")
                T.buffer_store(peak, tirx.const(-3.4e38, "float32"), [0])
                T.buffer_store(total, tirx.const(0.0, "float32"), [0])
                tiles.for_columns(
                    value_size, isa.lanes,
                    lambda j, n: tiles.store(
                        result, j, tiles.splat(tirx.const(0.0, "float32"), n), n
                    ),
                )  # fmt: skip

                weights = T.alloc_buffer((KEY_BLOCK,), "float32")
                # Blocks start at multiples of KEY_BLOCK whatever the mask: the bits of a row must
                # not depend on where its range begins.
                low = tiles.local(tirx.truncdiv(first[0], KEY_BLOCK))
                high = tiles.local(tirx.truncdiv(last[0] + (KEY_BLOCK - 1), KEY_BLOCK))
                with T.serial(0, high - low) as number:
                    base = tiles.local((low + number) * KEY_BLOCK)
                    count = tiles.local(tirx.min(keys - base, KEY_BLOCK))
                    highest = T.alloc_buffer((1,), "float32")
                    T.buffer_store(highest, peak[0], [0])
                    with T.serial(0, count) as c:
                        score = self._dot(
                            isa, buffers["q"], q_at, buffers["k"],
                            tiles.local(k_at + (base + c) * stride["k_row"]), size,
                        )  # fmt: skip
                        score = score * tirx.const(self.scale, "float32")
                        if self.mask == "float":
                            score = score + buffers["mask"][m_at + base + c]
                        elif self.mask != "none":
                            seen = self._seen(buffers["mask"], m_at + base + c)
                            score = tirx.Select(seen, score, tirx.const(-3.4e38, "float32"))
                        score = vm.register(score)
                        T.buffer_store(weights, score, [c])
                        T.buffer_store(
                            highest, tirx.Select(highest[0] > score, highest[0], score), [0]
                        )
                    shrink = vm.register(vm.exp(peak[0] - highest[0]))
                    T.buffer_store(peak, highest[0], [0])
                    T.buffer_store(total, total[0] * shrink, [0])
                    tiles.for_columns(
                        value_size, isa.lanes,
                        lambda j, n: tiles.store(
                            result, j, tiles.load(result, j, n) * tiles.splat(shrink, n), n
                        ),
                    )  # fmt: skip
                    with T.serial(0, count) as c:
                        weight = self._weight(weights[c], peak[0])
                        T.buffer_store(total, total[0] + weight, [0])
                        v_row = tiles.local(v_at + (base + c) * stride["v_row"])
                        tiles.for_columns(
                            value_size, isa.lanes,
                            lambda j, n: tiles.store(
                                result, j,
                                tiles.load(result, j, n)
                                + tiles.splat(weight, n) * tiles.load(buffers["v"], v_row + j, n),
                                n,
                            ),
                        )  # fmt: skip
                factor = vm.register(tirx.const(1.0, "float32") / total[0])
                tiles.for_columns(
                    value_size, isa.lanes,
                    lambda j, n: tiles.store(
                        buffers["out"], o_at + j,
                        tiles.load(result, j, n) * tiles.splat(factor, n), n,
                    ),
                )  # fmt: skip
        return tiles.Built(builder.get())

    def _weight(self, score: Expr, peak: Expr) -> Expr:
        weight = vm.exp(score - peak)
        if self.mask == "none":
            return vm.register(weight)
        # A masked key weighs exactly nothing, unless every key of the row is masked.
        lowest = tirx.const(LOWEST, "float32")
        zero = tirx.const(0.0, "float32")
        masked = tirx.all(score < lowest, peak > lowest)
        return vm.register(tirx.Select(masked, zero, weight))

    def _seen(self, mask: tirx.Var, at: Expr) -> Expr:
        if self.mask == "float":
            return mask[at] > tirx.const(LOWEST, "float32")
        zero = tirx.const(0, "int8")
        return mask[at] != zero if self.mask == "seen" else tirx.EQ(mask[at], zero)

    def _unmasked_range(
        self, mask: tirx.Var, start: Expr, keys: Expr, first: tirx.Var, last: tirx.Var
    ) -> None:
        """Narrow [first, last) to the keys that are not masked; all masked keeps the full range."""

        def seen(key: Expr) -> Expr:
            return self._seen(mask, start + key)

        with T.While(tirx.all(first[0] < keys, tirx.Not(seen(tirx.min(first[0], keys - 1))))):
            T.buffer_store(first, first[0] + 1, [0])
        with T.If(tirx.EQ(first[0], keys)), T.Then():
            T.buffer_store(first, 0, [0])
        with T.While(tirx.all(last[0] > first[0] + 1, tirx.Not(seen(last[0] - 1)))):
            T.buffer_store(last, last[0] - 1, [0])
        with T.If(tirx.Not(seen(first[0]))), T.Then():
            T.buffer_store(last, keys, [0])

    def _dot(self, isa: Isa, a: tirx.Var, a_at: Expr, b: tirx.Var, b_at: Expr, size: Expr) -> Expr:
        lanes = isa.lanes
        partial = T.alloc_buffer((lanes,), "float32")
        T.buffer_store(
            partial, tiles.splat(tirx.const(0.0, "float32"), lanes), [T.ramp(0, 1, lanes)]
        )
        with T.serial(0, tirx.truncdiv(size, lanes)) as j:
            product = tiles.load(a, a_at + j * lanes, lanes) * tiles.load(
                b, b_at + j * lanes, lanes
            )
            at = T.ramp(0, 1, lanes)
            T.buffer_store(partial, partial[at] + product, [at])
        width = lanes
        while width > 1:
            width //= 2
            halves = tiles.load(partial, 0, width) + tiles.load(partial, width, width)
            tiles.store(partial, 0, halves, width)
        tail = tiles.local(tirx.truncmod(size, lanes))
        with T.serial(0, tail) as j:
            at = size - tail + j
            T.buffer_store(partial, partial[0] + a[a_at + at] * b[b_at + at], [0])
        return partial[0]


HANDLES = ("Attention",)


def _read(function: ir.Function) -> tuple[attention_form.Attention, list[int]] | None:
    """The attention of a region, and the order of axes in which its result is stored."""
    end = function.outputs[0].producer()
    order: list[int] | None = None
    if graph_facts.is_op(end, "Transpose"):
        assert end is not None and end.inputs[0] is not None
        order = list(end.attributes["perm"].as_ints()) if "perm" in end.attributes else None
        end = end.inputs[0].producer()
    if end is None:
        return None
    found = attention_form.match(end)
    if isinstance(found, str):
        return None
    rank = len(found.q.dims)
    order = order if order is not None else list(range(rank))
    if order[-1] != rank - 1 or found.v.shape[-1] > MAX_HEAD_SIZE:
        return None
    return found, order


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region is an attention that the kernel computes."""
    del node
    return function is not None and _read(function) is not None


def lower(site: Site) -> None:
    """Append the attention to the program."""
    assert site.function is not None
    read = _read(site.function)
    assert read is not None
    found, order = read
    rank = len(found.q.dims)
    batch, heads = (1, 1, *found.q.shape[:-2])[-2:]
    queries, keys = found.q.shape[-2], found.k.shape[-2]
    result = shape_of(site.node.outputs[0])
    # stored[i] is axis order[i] of the result: its stride belongs to that axis.
    contiguous = [size_of(result[i + 1 :]) for i in range(rank)]
    out = {axis: contiguous[i] for i, axis in enumerate(order)}
    strides = [
        *_strides(found.q, rank), *_strides(found.k, rank), *_strides(found.v, rank),
        *([0] * (4 - rank) + [out[a] for a in range(rank)])[:3][-3:],
        *([0, 0, 0] if found.mask is None else _strides(found.mask, rank)),
    ]  # fmt: skip
    spec = Attention(found.scale, found.mask_kind)
    views = [found.q, found.k, found.v]
    pointers = site.pointers([view.base for view in views])
    mask = [] if found.mask is None else site.pointers([found.mask.base])
    size, value_size = found.q.shape[-1], found.v.shape[-1]
    macs = batch * heads * queries * keys * (size + value_size)
    site.program.step(
        spec, "attention",
        [*pointers, Pointer(site.outputs[0]), *mask, heads, found.group, queries, keys, size,
         value_size, *strides],
        tasks=batch * heads * queries, macs=macs,
        label=f"attention {heads} heads, {queries} queries, {keys} keys of {size}",
        origin=site.origin, nodes=site.nodes,
        nbytes=4 * (batch * heads * (2 * queries * size) + batch * (heads // found.group) * keys
                    * (size + value_size)),
        reason=f"softmax attention, mask {found.mask_kind}",
    )  # fmt: skip


def _strides(view: View, rank: int) -> list[int]:
    """Strides of batch, head and row; missing dimensions have stride 0."""
    found = []
    for axis in range(rank - 1):
        pair = repeated(view.dims[axis])
        assert pair is not None
        found.append(pair[0])
    return [0] * (3 - len(found)) + found
