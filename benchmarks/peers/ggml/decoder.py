"""The decoder of W3 as a graph of ggml, built as llama.cpp builds Mixtral.

Queries, keys and values are one product, as in llama.cpp's architectures with `wqkv`. The model has
no rotary embedding, so there is no `rope` either. Keys and values of the tokens before are:

- appended to: inputs, and longer caches come out (`concat`), as for every other contestant;
- `in place`: new rows are written into tensors that have room for them, as llama.cpp does.

Attention is llama.cpp's plain form (products and `soft_max_ext`, values transposed) or
`flash_attn_ext`.
"""

from __future__ import annotations

from ctypes import c_int, c_void_p
from dataclasses import dataclass

import numpy as np

from benchmarks.cases import DECODER, HEADS, LAYERS
from benchmarks.contestant import Array
from benchmarks.peers.ggml.experts import experts
from benchmarks.peers.ggml.graph import Graph

EPSILON = 1.1920928955078125e-07
"""What torch.nn.RMSNorm adds by default: the machine epsilon of float32."""

WIDTH = DECODER.hidden // HEADS
FLOAT = 4


@dataclass(frozen=True)
class Form:
    """Which of the forms of attention and of caches."""

    flash: bool
    in_place: bool


class Decoder:
    """Token numbers to logits; `inputs` are those of the kit, with or without caches."""

    def __init__(self, graph: Graph, inputs: dict[str, Array], form: Form) -> None:
        self.graph, self.form = graph, form
        self.tokens = len(inputs["x"])
        self.before = inputs["keys_0"].shape[1] if "keys_0" in inputs else 0
        self.x = graph.data(inputs["x"].astype(np.int32))
        self.mask = graph.data(self._mask())
        self.results: list[c_void_p] = []  # caches that come out
        x = graph.op("get_rows", graph.weights["embedding"], self.x)
        for number in range(LAYERS):
            past = (inputs[f"keys_{number}"], inputs[f"values_{number}"]) if self.before else None
            x = self._layer(x, f"{number}.", past)
        self.logits = graph.op("mul_mat", graph.weights["head"], x)
        graph.finish(*self.results, self.logits)

    def run(self, x: Array, y: Array) -> None:
        """Compute logits y, float32 [T, V], of tokens x, int32 [T]."""
        self.graph.write(self.x, x)
        self.graph.compute()
        self.graph.read(self.logits, y)

    def _mask(self) -> Array:
        """0 where token t may look, else minus infinity, [T, before + T]; flash takes float16."""
        seen = np.tril(np.ones((self.tokens, self.before + self.tokens), bool), self.before)
        return np.where(seen, 0, -np.inf).astype(np.float16 if self.form.flash else np.float32)

    def _layer(self, x: c_void_p, prefix: str, past: tuple[Array, Array] | None) -> c_void_p:
        op, weights = self.graph.op, self.graph.weights
        heads = op("mul_mat", weights[f"{prefix}qkv"], self._norm(x, f"{prefix}attention_norm"))
        attended = self._attention(heads, past)  # [H, T]
        x = op("add", op("mul_mat", weights[f"{prefix}out"], attended), x)
        rows = self._norm(x, f"{prefix}experts_norm")
        return op("add", experts(self.graph, rows, DECODER, self.tokens, prefix), x)

    def _norm(self, x: c_void_p, name: str) -> c_void_p:
        return self.graph.op("mul", self.graph.op("rms_norm", x, EPSILON), self.graph.weights[name])

    def _attention(self, heads: c_void_p, past: tuple[Array, Array] | None) -> c_void_p:
        op, hidden, tokens = self.graph.op, DECODER.hidden, self.tokens
        q, k, v = (  # each [D, heads, T], in the rows of one product
            op("view_3d", heads, WIDTH, HEADS, tokens, WIDTH * FLOAT, 3 * hidden * FLOAT,
               part * hidden * FLOAT)
            for part in range(3)
        )  # fmt: skip
        q, k, v = (self._permuted(part, 0, 2, 1) for part in (q, k, v))  # [D, T, heads]
        if not self.form.flash:  # [T, D, heads], as the product with the shares reads them
            v = self._permuted(v, 1, 0, 2)
        if past is not None:
            keys, values = past
            k = self._longer(keys, k, axis=1)
            v = self._longer(values if self.form.flash else values.transpose(0, 2, 1), v,
                             axis=1 if self.form.flash else 0)  # fmt: skip
        elif not self.form.flash:
            v = op("cont", v)
        scale = WIDTH**-0.5
        if self.form.flash:
            mixed = op("flash_attn_ext", q, k, v, self.mask, scale, 0.0, 0.0)  # [D, heads, T]
            return op("reshape_2d", mixed, hidden, tokens)
        shares = op("soft_max_ext", op("mul_mat", k, q), self.mask, scale, 0.0)  # [N, T, heads]
        mixed = self._permuted(op("mul_mat", v, shares), 0, 2, 1)  # [D, heads, T]
        return op("cont_2d", mixed, hidden, tokens)

    def _longer(self, before: Array, rows: c_void_p, axis: int) -> c_void_p:
        """The cache with the new rows behind it; `axis` is ggml's, 0 the innermost."""
        op = self.graph.op
        if not self.form.in_place:
            longer = op("concat", self.graph.data(before), rows, c_int(axis))
            self.results.append(longer)
            return longer
        room = [(0, 0)] * 3
        room[2 - axis] = (0, self.tokens)
        cache = np.pad(before, room)
        tensor = self.graph.data(cache)
        extents = list(reversed(cache.shape))
        strides = [FLOAT * int(np.prod(extents[:number])) for number in range(3)]
        extents[axis] = self.tokens
        place = op("view_3d", tensor, *extents, *strides[1:], strides[axis] * self.before)
        self.results.append(op("cpy", rows, place))
        return tensor

    def _permuted(self, x: c_void_p, *axes: int) -> c_void_p:
        return self.graph.op("permute", x, *(c_int(axis) for axis in (*axes, 3)))
