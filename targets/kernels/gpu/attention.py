"""`attention` on a GPU: softmax attention, block after block of keys.

A work-group computes some rows, query heads that share keys, for one key head. Of every block of
keys it keeps the largest score and the sum of exponentials, and corrects what it has summed up when
the largest changes (Milakov and Gimelshein, 2018, algorithm 3; FlashAttention, Dao et al., 2022).

A step with few rows and many keys has too few work-groups for a device. There several share the
keys that their rows see, and a second kernel joins what they found (`attention_join`; after
Flash-Decoding, Dao et al., 2023). How many is fixed when the model is compiled; which keys each
has, by the mask. What a thread does is in `attention_block`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tvm import tirx

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.attention_kernel import ROWS as CPU_ROWS
from edgemoe.targets.kernels.attention_kernel import STRIDES, Attention
from edgemoe.targets.kernels.gpu import cache_words, grid
from edgemoe.targets.kernels.gpu.attention_block import BlockEmitter
from edgemoe.targets.kernels.gpu.attention_join import MORE, AttentionJoin
from edgemoe.targets.kernels.gpu.call import Call, Chain, Link

STANDS_FOR = (Attention,)

ROWS = 4
"""Rows of a work-group."""

KEYS_EACH = 256
"""Fewest keys for which another work-group is worth its launch and its part of the joining."""


@dataclass(frozen=True)
class GpuAttention:
    """`sizes` are the integers of `Attention`: heads, group, queries, keys, widths, strides.

    With `splits` above 1, so many work-groups share the keys of the same rows, and `out` are their
    parts for `AttentionJoin`: [.., splits, rows, value_size + 2].
    """

    spec: Attention
    sizes: tuple[int, ...]
    batch: int
    rows: int
    threads: int
    splits: int = 1

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (q, k, v, out, k_scales?, v_scales?, ranges?, mask?)."""
        spec = self.spec
        mask = {"none": (), "float": ("float*",)}.get(spec.mask, ("int32_t*",))
        stored = (cache_words.c_type(spec.k), cache_words.c_type(spec.v))
        scales = ("float*",) * ((spec.k == "int8") + (spec.v == "int8"))
        return ("float*", *stored, "float*", *scales) + ("int32_t*",) * spec.ranged + mask

    @property
    def blocks(self) -> int:
        """Work-groups that have rows of their own."""
        heads, group, queries = self.sizes[:3]
        return self.batch * (heads // group) * -(-queries * group // self.rows)

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.blocks * self.splits

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        pointers = dict.fromkeys(("q", "k", "v", "out"), "float32")
        for name, dtype in (("k", self.spec.k), ("v", self.spec.v)):
            pointers[name] = cache_words.element_type(dtype)
        for name, dtype in (("k", self.spec.k), ("v", self.spec.v)):
            if dtype == "int8":
                pointers[f"{name}_scales"] = "float32"
        if self.spec.ranged:
            pointers["ranges"] = "int32"
        if self.spec.mask != "none":
            pointers["mask"] = "float32" if self.spec.mask == "float" else "int32"
        return grid.kernel(
            pointers, self.groups, self.threads, lambda at: BlockEmitter(self, at).emit()
        )


def splits_for(device: Graphics, blocks: int, keys: int) -> int:
    """How many work-groups share the keys of a row: no more than occupy the device."""
    wanted = -(-device.busy_groups // blocks)
    each = max(KEYS_EACH, device.threads)
    return max(1, min(wanted, keys // each))


def stand_in(call: Call) -> GpuAttention | Chain:
    """As many rows in a work-group as share a key head, four at most; long contexts are split."""
    heads, group, queries = call.integers[:3]
    flat, rows = queries * group, ROWS
    while rows // 2 >= flat:
        rows //= 2
    # Tasks of the CPU kernel are blocks of rows, of all key heads, of all of the batch.
    batch = call.tasks // (heads // group * -(-flat // CPU_ROWS))
    made = GpuAttention(call.spec, call.integers, batch, rows, call.device.threads)
    splits = splits_for(call.device, made.blocks, call.integers[3])
    if splits == 1:
        return made
    width, strides = call.integers[5], dict(zip(STRIDES, call.integers[6:], strict=True))
    axes = ("batch", "head", "row")
    join = AttentionJoin(
        splits, batch, heads // group, group, flat, rows, width,
        tuple(strides[f"o_{axis}"] for axis in axes),
        tuple(strides[f"r_{axis}"] for axis in axes) if call.spec.ranged else None,
        call.threads(batch * heads * queries * width),
    )  # fmt: skip
    split, count = replace(made, splits=splits), len(call.words)
    pointers = list(range(count))
    pointers[3] = count
    ranges = 4 + (call.spec.k == "int8") + (call.spec.v == "int8")
    return Chain(
        (
            Link(split, "attention", tuple(pointers)),
            Link(join, "attention_join", (count, 3, *([ranges] if call.spec.ranged else []))),
        ),
        (split.groups * rows * (width + MORE),),
    )
