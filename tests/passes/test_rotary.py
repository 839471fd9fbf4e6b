"""Rotary embeddings as models of transformers and of this repository write them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import graph_facts, rotary_form
from edgemoe.pass_runner import run_passes
from edgemoe.reference import made_up_inputs
from edgemoe.specialise import bind_shapes

FORMS = {
    # module, width of the tables, and what is found: partner, narrow, turned; heads have 16 columns
    "llama": ("llama.modeling_llama", 16, "half", False, 16),
    "mixtral": ("mixtral.modeling_mixtral", 16, "half", False, 16),
    "gpt_neox": ("gpt_neox.modeling_gpt_neox", 4, "half", False, 4),
    "cohere": ("cohere.modeling_cohere", 16, "pair", False, 16),
    "gptj": ("gptj.modeling_gptj", 8, "pair", False, 16),
}


def run(tools, module, example):
    """Export, fuse with checks; returns the rotary forms found and what operators are left."""
    graph = bind_shapes(tools.export_module(module, example, 18), {})
    run_passes(graph, check=[made_up_inputs(graph, seed=seed) for seed in range(2)])
    again = run_passes(graph)
    assert not [one.name for one in again.runs if one.changes]
    found = []
    for node in graph.graph:
        if graph_facts.kind_of(node) == "Rotary":
            function = graph.functions[(node.domain, node.op_type, "")]
            found.append(rotary_form.match(function.outputs[0].producer()))
    return found, Counter(n.op_type for n in graph.graph if not n.domain)


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_transformers(tools, name):
    torch = pytest.importorskip("torch")
    import importlib

    path, width, partner, narrow, turned = FORMS[name]
    functions = importlib.import_module(f"transformers.models.{path}")

    class Turn(torch.nn.Module):
        """Project, split heads, turn queries and keys."""

        def __init__(self):
            super().__init__()
            self.qk = torch.nn.Linear(24, 96)

        def forward(self, x, cos, sin):
            qk = self.qk(x).view(2, 5, 3, 32)
            if name == "gptj":
                q, k = qk.chunk(2, dim=-1)
                q, k = (functions.apply_rotary_pos_emb(t, sin, cos) for t in (q, k))
                return q.transpose(1, 2), k.transpose(1, 2)
            q, k = qk.transpose(1, 2).chunk(2, dim=-1)
            return functions.apply_rotary_pos_emb(q, k, cos, sin)

    tables = (torch.rand(2, 5, width), torch.rand(2, 5, width))
    found, left = run(tools, Turn(), (torch.randn(2, 5, 24), *tables))
    assert [(f.partner, f.narrow, f.turned, f.offset) for f in found] == [
        (partner, narrow, turned, 0), (partner, narrow, turned, 16)
    ]  # fmt: skip
    moved = {"Slice", "Neg", "Mul", "Split"} | (set() if name == "gptj" else {"Concat"})
    assert not moved & set(left)  # GPT-J repeats its tables by a concatenation


def test_heads_of_one_projection_are_split_off(tools):
    """Queries, keys and values are slices of the heads; only the columns of a head turn."""
    torch = pytest.importorskip("torch")
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    class Turn(torch.nn.Module):
        def forward(self, x, cos, sin):
            q, k, v = x.view(5, 8, 16).split([4, 2, 2], 1)
            q, k = apply_rotary_pos_emb(q, k, cos, sin)
            return q, k, v

    example = (torch.randn(5, 128), torch.rand(5, 16), torch.rand(5, 16))
    found, _ = run(tools, Turn(), example)
    assert [(f.partner, f.narrow, f.turned) for f in found] == [("half", False, 16)] * 2


def test_form_of_this_repository(tools):
    torch = pytest.importorskip("torch")
    from edgemoe.models.attention import rotate

    class Turn(torch.nn.Module):
        def forward(self, x, table):
            return rotate(x, table)

    found, _ = run(tools, Turn(), (torch.randn(5, 3, 16), torch.rand(5, 2, 8)))
    assert [(f.partner, f.narrow, f.turned) for f in found] == [("half", True, 16)]


TEXT = """<ir_version: 10, opset_import: ["" : 20]>
g (float[2,3,8] x, float[3,8] c, float[3,8] s) => (float[2,3,8] y) {{
    a, b = Split<axis=-1, num_outputs=2>(x)
    {turn}
    p = Mul(x, c)
    q = Mul(t, {sine})
    y = Add(p, q)
}}"""


@pytest.mark.parametrize(
    ("turn", "sine", "count"),
    [
        ("n = Neg(b)\nt = Concat<axis=-1>(n, a)", "s", 1),
        ("n = Neg(a)\nt = Concat<axis=-1>(b, n)", "s", 0),  # the other direction
        ("n = Neg(b)\nt = Concat<axis=-1>(a, n)", "s", 0),
        ("t = Neg(x)", "s", 0),
    ],
)
def test_near_misses(turn, sine, count):
    model = ir.from_onnx_text(TEXT.format(turn=turn, sine=sine))
    rng = np.random.default_rng(0)
    feed = {
        v.name: rng.standard_normal(tuple(v.shape)).astype(np.float32) for v in model.graph.inputs
    }
    run_passes(model, check=[feed])
    assert sum(graph_facts.kind_of(node) == "Rotary" for node in model.graph) == count
