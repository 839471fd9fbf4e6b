"""Decoders whose rotary embeddings are no steps of their own: the same bits, fewer steps."""

from __future__ import annotations

import importlib
from collections import Counter

import numpy as np
import pytest

import edgemoe
from edgemoe.buckets import plan_buckets
from edgemoe.frontend import load_model
from edgemoe.pass_runner import run_passes
from edgemoe.targets import cpu
from edgemoe.targets.kernels import turned_rows
from edgemoe.weight_format import F32

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.needs("cc"), pytest.mark.needs("python:transformers")]

FORMS = {
    # module of transformers, and the width of its tables; heads have 16 columns
    "llama": ("llama.modeling_llama", 16),
    "mixtral": ("mixtral.modeling_mixtral", 16),
    "gpt_neox": ("gpt_neox.modeling_gpt_neox", 4),  # a part of the head turns
    "cohere": ("cohere.modeling_cohere", 16),  # pairs of neighbours
}
HEADS, PAIRS, SIZE, CAPACITY = 4, 2, 16, 24
STATES = {"position": "position_out", "k": "k_out", "v": "v_out"}


class Decoder(torch.nn.Module):
    """x float32 [T, 64], caches [capacity, 2, 16]; turned as a model of transformers does it.

    `reads`: something else that reads the turned queries and keys.
    """

    def __init__(self, name, reads=False):
        super().__init__()
        torch.manual_seed(0)
        path, width = FORMS[name]
        self.turn = importlib.import_module(f"transformers.models.{path}").apply_rotary_pos_emb
        self.reads = reads
        self.qkv = torch.nn.Linear(64, (HEADS + 2 * PAIRS) * SIZE)
        angles = torch.outer(torch.arange(CAPACITY), 0.7 ** torch.arange(width))
        self.register_buffer("tables", torch.stack([angles.cos(), angles.sin()]))
        self.export_options = {
            "input_names": ["x", *STATES], "output_names": ["y", *STATES.values()],
            "dynamic_shapes": ({0: "T"}, None, None, None), "states": STATES,
        }  # fmt: skip

    def forward(self, x, position, k, v):
        rows = position + torch.arange(x.shape[0])
        heads = self.qkv(x).unflatten(-1, (-1, SIZE))  # [T, heads, size]
        q, new_k, new_v = heads.split([HEADS, PAIRS, PAIRS], 1)
        q, new_k = self.turn(q, new_k, *(table[rows] for table in self.tables))
        k, v = k.index_put((rows,), new_k), v.index_put((rows,), new_v)
        seen = torch.arange(CAPACITY)[None] <= rows[:, None]
        y = torch.nn.functional.scaled_dot_product_attention(
            *(t.transpose(0, 1)[None] for t in (q, k, v)), attn_mask=seen, enable_gqa=True
        )[0]
        y = y.transpose(0, 1).flatten(1)
        if self.reads:
            y = y + q.mean() + new_k.mean()
        return y, position + x.shape[0], k, v

    def example(self):
        caches = (torch.zeros(CAPACITY, PAIRS, SIZE) for _ in "kv")
        return torch.randn(5, 64), torch.zeros(1, dtype=torch.int64), *caches


def lowered(model, count=5):
    """How often each template is called, without any code."""
    buckets = plan_buckets(load_model(model, dynamic=True).model, [count], {})
    graph = buckets.bind(count)
    run_passes(graph)
    (variant,) = cpu.lower_variants([graph], [count], F32).variants
    return Counter(step.kernel.rsplit("_", 1)[0] for step in variant.steps), variant.steps


@pytest.mark.parametrize(
    ("name", "count"), [("llama", 5), ("mixtral", 1), ("gpt_neox", 1), ("cohere", 5)]
)
def test_decoders_have_two_steps_less(name, count, monkeypatch):
    module = Decoder(name).eval()
    own, steps = lowered((module, module.example()), count)
    assert sum("rotary embedding of queries" in step.reason for step in steps) == 1
    assert own["rotary"] == 0 and own["rotary_scatter"] == 1
    monkeypatch.setattr(turned_rows, "left_to_reader", lambda site: False)
    plain, _ = lowered((module, module.example()), count)
    assert plain["rotary"] == 2 and plain.total() - own.total() == 2


def test_what_others_read_as_well_stays_a_step():
    module = Decoder("mixtral", reads=True).eval()
    own, _ = lowered((module, module.example()))
    assert own["rotary"] == 2 and own["rotary_scatter"] == 0


def run(artifact):
    """Five tokens, then one and one more."""
    chance = np.random.default_rng(0)
    with edgemoe.load(artifact.path, check=True) as session:
        return [
            session.run({"x": chance.standard_normal((count, 64)).astype(np.float32)})["y"].copy()
            for count in (5, 1, 1)
        ]


def test_the_same_bits(tmp_path, monkeypatch):
    """With a narrow cache; float32 ones are those of the decoders that ship."""
    module, made = Decoder("cohere").eval(), []
    for number in range(2):
        made.append(
            edgemoe.compile(
                (module, module.example()), tokens=[1, 5], cpu="native", kv_cache="i8",
                out=tmp_path / str(number),
            )
        )  # fmt: skip
        monkeypatch.setattr(turned_rows, "left_to_reader", lambda site: False)
    for got, wanted in zip(*map(run, made), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert ["rotary" in {k.template for k in each.plan.kernels} for each in made] == [False, True]
