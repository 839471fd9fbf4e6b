"""Decoders of one attention, whose caches are written in the ways that exporters write them."""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention as attention

HEADS, PAIRS, WIDTH = 4, 2, 64
STATES = {"position": "position_out", "k": "k_out", "v": "v_out"}


class Decoder(torch.nn.Module):
    """x float32 [T, 64], position int64 [1], k and v float32 [1, 2, capacity, size].

    `window` keys behind a query are seen. `reads`: something else that reads the cache of values.
    """

    def __init__(self, form, size=16, capacity=40, window=1 << 20, reads=""):
        super().__init__()
        torch.manual_seed(0)
        self.form, self.size, self.capacity = form, size, capacity
        self.window, self.reads = window, reads
        self.q = torch.nn.Linear(WIDTH, HEADS * size)
        self.kv = torch.nn.Linear(WIDTH, 2 * PAIRS * size)
        self.export_options = {
            "input_names": ["x", *STATES], "output_names": ["y", *STATES.values()],
            "dynamic_shapes": ({0: "T"}, None, None, None), "states": STATES,
        }  # fmt: skip

    def added(self, cache, new, rows):
        """The cache with the new rows [1, 2, T, size]."""
        if self.form == "copy":
            return cache.index_copy(2, rows, new)
        if self.form == "put":
            lead = torch.arange(1)[:, None, None], torch.arange(PAIRS)[None, :, None]
            return cache.index_put((*lead, rows[None, None, :]), new)
        if self.form == "scatter":
            return cache.scatter(2, rows[None, None, :, None].expand_as(new), new)
        if self.form == "window":
            return torch.cat([cache[:, :, new.shape[2] :], new], 2)
        return cache + new.sum()

    def forward(self, x, position, k, v):
        count = x.shape[0]
        rows = position + torch.arange(count)
        q = self.q(x).unflatten(-1, (HEADS, self.size)).transpose(0, 1)[None]
        both = self.kv(x).unflatten(-1, (2 * PAIRS, self.size)).transpose(0, 1)[None]
        new_k, new_v = both.chunk(2, 1)
        k, v = self.added(k, new_k, rows), self.added(v, new_v, rows)
        keys = torch.arange(self.capacity)
        if self.form == "window":
            keys = keys + position + count - self.capacity
        behind = rows[:, None] - keys[None]
        seen = (behind >= 0) & (behind < self.window) & (keys >= 0)[None]
        y = attention(q, k, v, attn_mask=seen, enable_gqa=True)[0].transpose(0, 1).flatten(1)
        if self.reads == "mean":
            y = y + v.mean()
        return y, position + count, k, v

    def example(self):
        """Inputs for three tokens and empty caches."""
        cache = (1, PAIRS, self.capacity, self.size)
        chance = torch.Generator().manual_seed(1)
        x = torch.randn(3, WIDTH, generator=chance)
        return x, torch.zeros(1, dtype=torch.int64), torch.zeros(cache), torch.zeros(cache)
