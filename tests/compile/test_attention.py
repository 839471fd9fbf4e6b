"""Attention as torch exports it: one step, constant masks not read, windows not touched."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe

torch = pytest.importorskip("torch")

QUERIES, HEADS, PAIRS, SIZE = 45, 4, 2, 16


class SelfAttention(torch.nn.Module):
    """Projections, grouped heads, scaled_dot_product_attention with the mask that `kind` names."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        width = HEADS * SIZE
        self.q = torch.nn.Linear(width, width)
        self.kv = torch.nn.Linear(width, 2 * PAIRS * SIZE)
        behind = torch.arange(QUERIES)[:, None] - torch.arange(QUERIES)[None]
        self.register_buffer("window", (behind >= 0) & (behind < 9))

    def forward(self, x, seen):
        q = self.q(x).unflatten(-1, (HEADS, SIZE)).transpose(1, 2)
        k, v = self.kv(x).unflatten(-1, (2 * PAIRS, SIZE)).transpose(1, 2).chunk(2, dim=1)
        mask = {"window": self.window, "given": seen[:, None]}.get(self.kind)
        y = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=self.kind == "causal", enable_gqa=True
        )
        return y.transpose(1, 2).flatten(2) + seen.to(x.dtype).mean()


@pytest.mark.parametrize("kind", ["none", "causal", "window", "given"])
def test_attention_of_torch(kind, tmp_path):
    module = SelfAttention(kind).eval()
    chance = torch.Generator().manual_seed(0)
    x = torch.randn(2, QUERIES, HEADS * SIZE, generator=chance)
    seen = torch.rand(2, QUERIES, QUERIES, generator=chance) < 0.3
    seen[:, :, 0] = True
    exported = edgemoe.export(module, (x, seen))
    artifact = edgemoe.compile(exported, out=tmp_path / "model", cpu="native")
    (variant,) = artifact.plan.variants
    kernels = [step.kernel.rsplit("_", 1)[0] for step in variant.steps]
    assert kernels.count("attention") == 1 and "softmax" not in kernels
    assert ("mask_range" in kernels) == (kind == "given")
    session = edgemoe.load(artifact.path)
    feed = dict(zip([i.name for i in session.inputs], (x.numpy(), seen.numpy()), strict=True))
    (got,) = session.run(feed).values()
    np.testing.assert_allclose(got, module(x, seen).detach().numpy(), atol=1e-5)
