"""Experts that no pass knows are found, with the reason; what only resembles them is not."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from edgemoe.explanation import Explanation, explain_graph  # noqa: E402
from edgemoe.explanation_text import render  # noqa: E402
from edgemoe.pass_runner import run_passes  # noqa: E402
from edgemoe.specialise import bind_shapes  # noqa: E402

H = 12


class Bent(nn.Module):
    """Something happens to every weighted output before the sum: the sum is not over the chosen."""

    def __init__(self, forms: Any, *, batched: bool) -> None:
        super().__init__()
        self.base, self.batched = forms.DenseScatter(4, 2), batched
        self.weight = nn.Parameter(torch.randn(4, H, H))

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.base.route(x)
        full = torch.zeros(x.shape[0], 4).scatter(1, ids, weights)
        if self.batched:
            y = torch.einsum("th,eoh->teo", x, self.weight) * full[..., None]
            return torch.cos(y).sum(1)
        return sum(torch.cos(full[:, e, None] * m(x)) for e, m in enumerate(self.base.mlps))


class Convolutions(nn.Module):
    """Depthwise and pointwise, squeeze-and-excite, parallel branches, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.branches = nn.ModuleList(nn.Conv2d(8, 8, k, padding=k // 2) for k in (1, 3, 3))
        self.down, self.up, self.head = nn.Linear(8, 4), nn.Linear(4, 8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.b(F.relu(self.a(x)))
        gate = torch.sigmoid(self.up(F.relu(self.down(y.mean((2, 3))))))
        y = y * gate[:, :, None, None]
        y = sum(branch(y) for branch in self.branches)
        return torch.softmax(self.head(y.mean((2, 3))), -1).topk(3, -1).indices


class Transformer(nn.Module):
    """Attention, a feed-forward part, and a choice at the end that meets nothing."""

    def __init__(self) -> None:
        super().__init__()
        layers = (nn.TransformerEncoderLayer(16, 4, 32, batch_first=True) for _ in range(2))
        self.layers, self.head = nn.ModuleList(layers), nn.Linear(16, 50)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.layers:
            x = layer(x)
        values, ids = torch.softmax(self.head(x), -1).topk(5, -1)
        return values, ids


class Mixer(nn.Module):
    """Token and channel mixing, a softmax gate, heads with a matrix each, a recurrent cell."""

    def __init__(self) -> None:
        super().__init__()
        self.time, self.channel, self.gate = nn.Linear(6, 6), nn.Linear(16, 16), nn.Linear(16, 16)
        self.heads = nn.Parameter(torch.randn(4, 4, 4))
        self.cell = nn.LSTMCell(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.time(x.transpose(1, 2)).transpose(1, 2)
        x = x + F.gelu(self.channel(x))
        x = x * torch.softmax(self.gate(x), -1)
        x = torch.einsum("blhd,hde->blhe", x.unflatten(-1, (4, 4)), self.heads).flatten(-2)
        h = c = torch.zeros(x.shape[0], 16)
        for step in range(6):
            h, c = self.cell(x[:, step], (h, c))
        return torch.relu(h)


def explained(tools: Any, module: nn.Module, *shape: int) -> Explanation:
    torch.manual_seed(0)
    model = bind_shapes(tools.export_module(module, (torch.randn(shape),), 18), {})
    return explain_graph(model, run_passes(model, phases=tools.recognise_phases))


@pytest.mark.parametrize("name", ["bent", "bent_batched"])
def test_experts_of_forms_that_no_pass_knows(tools: Any, name: str) -> None:
    forms = tools.forms()
    module, experts, chosen = {
        "bent": (Bent(forms, batched=False), 4, 2),
        "bent_batched": (Bent(forms, batched=True), 4, 2),
    }[name]
    found = explained(tools, module, 5, H)
    (miss,) = [c for c in found.candidates if c.subject == "experts"]
    assert not miss.matched and miss.node
    assert miss.facts["dense"] is True
    assert (miss.facts["E"], miss.facts.get("k")) == (experts, chosen)
    weights = 4 * H * H if name == "bent_batched" else experts * 2 * H * forms.INNER
    assert miss.facts["weight_nbytes"] == 4 * weights
    assert found.coverage.expert_nbytes == 4 * weights and found.coverage.expert_share == 0
    assert {role.role: role.nbytes for role in found.census}["expert"] == 4 * weights
    assert any("2 times the multiply" in text for text in found.warnings)
    assert max(map(len, render(found).splitlines())) <= 100


@pytest.mark.parametrize(
    ("module", "shape"),
    [(Convolutions, (1, 3, 8, 8)), (Transformer, (1, 6, 16)), (Mixer, (1, 6, 16))],
)
def test_no_false_alarm(tools: Any, module: type[nn.Module], shape: tuple[int, ...]) -> None:
    found = explained(tools, module(), *shape)
    assert not [c for c in found.candidates if c.subject in ("experts", "router")]
    assert found.coverage.expert_share is None and not found.unsupported
    assert "expert" not in {role.role for role in found.census}


def test_layers_that_are_alike_are_one_entry(tools: Any) -> None:
    forms = tools.forms()

    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(forms.DenseOneHot(3, 2) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = x + layer(x)
            return x

    found = explained(tools, Layers(), 5, H)
    assert len(found.candidates) == 6 and all(c.matched for c in found.candidates)
    text = render(found)
    assert "3 layers: layers.0-2" in text and text.count("experts  MoE_") == 1
    assert render(found, verbose=True).count("experts  MoE_") == 3
