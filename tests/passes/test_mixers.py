"""What a mixer block is, and what only looks like one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.pass_runner import run_passes
from edgemoe.specialise import bind_shapes

B, T, C = 2, 6, 8


def forms(tools: Any, module: nn.Module, *shape: int) -> list[str]:
    """The forms that are noted for a module."""
    torch.manual_seed(0)
    model = bind_shapes(tools.export_module(module, (torch.randn(*shape),), 20), {})
    report = run_passes(model, phases=tools.recognise_phases)
    return [str(n.facts["form"]) for n in report.notes if n.subject == "mixer"]


class Lambda(nn.Module):
    """A module of a function and named layers."""

    def __init__(self, function: Any, **layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleDict(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.layers, x)


def linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs)


def token_mlp(m: Any, x: Tensor) -> Tensor:
    return x + m["b"](F.gelu(m["a"](x.transpose(1, 2)))).transpose(1, 2)


def attention(m: Any, x: Tensor) -> Tensor:
    q, k, v = (p.unflatten(-1, (2, -1)).transpose(1, 2) for p in m["qkv"](x).chunk(3, -1))
    mixed = torch.softmax(q @ k.transpose(-1, -2), -1) @ v
    x = x + m["out"](mixed.transpose(1, 2).flatten(2))
    return x + m["down"](F.gelu(m["up"](x)))


def gate(m: Any, x: Tensor) -> Tensor:
    return x * torch.softmax(m["a"](x), -1)


def test_a_token_mlp_and_the_channel_mlp_beside_it(tools):
    def block(m: Any, x: Tensor) -> Tensor:
        x = token_mlp(m, x)
        return x + m["d"](F.relu(m["c"](x)))

    layers = {"a": linear(T, 9), "b": linear(9, T), "c": linear(C, 12), "d": linear(12, C)}
    assert forms(tools, Lambda(block, **layers), B, T, C) == ["token_mlp", "channel_mlp"]


def test_a_left_product_needs_no_transpose(tools):
    class Left(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(T, T))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.w @ x

    assert forms(tools, Left(), B, T, C) == ["token_linear"]


def test_an_ordinary_feed_forward_layer_is_no_mixer(tools):
    ffn = nn.Sequential(nn.LayerNorm(C), linear(C, 12), nn.GELU(), linear(12, C))
    assert forms(tools, ffn, B, T, C) == []


def test_attention_is_no_mixer(tools):
    layers = {"qkv": linear(C, 3 * C), "out": linear(C, C), "up": linear(C, 12),
              "down": linear(12, C)}  # fmt: skip
    assert forms(tools, Lambda(attention, **layers), B, T, C) == []


@pytest.mark.parametrize("name", ["loop_where", "dense_soft", "dense_einsum", "block_flat"])
def test_experts_are_no_mixers(tools, name):
    model = bind_shapes(tools.export(name), {"T": 6})
    report = run_passes(model, phases=tools.recognise_phases)
    assert [n.text for n in report.notes if n.subject == "mixer"] == []


def test_a_layer_that_stays_turned_mixes_no_tokens(tools):
    def inverted(m: Any, x: Tensor) -> Tensor:
        return m["b"](F.gelu(m["a"](x.transpose(1, 2))))

    layers = {"a": linear(T, 9), "b": linear(9, T)}
    assert forms(tools, Lambda(inverted, **layers), B, T, C) == []


def test_a_value_that_leaves_the_turned_rows_is_a_miss(tools):
    def leaks(m: Any, x: Tensor) -> Tensor:
        turned = m["a"](x.transpose(1, 2))
        return turned.transpose(1, 2) + turned.mean((0, 1))[None, :, None]

    assert forms(tools, Lambda(leaks, a=linear(T, T)), B, T, C) == []


def test_a_gate_is_of_its_own_product(tools):
    assert forms(tools, Lambda(gate, a=linear(C, C)), B, T, C) == ["gate"]

    def other(m: Any, x: Tensor) -> Tensor:
        return torch.relu(x) * torch.softmax(m["a"](x), -1)

    assert forms(tools, Lambda(other, a=linear(C, C)), B, T, C) == []


def test_an_activation_between_is_no_low_rank(tools):
    thin = nn.Sequential(linear(C, 2), linear(2, C))
    assert forms(tools, thin, B, T, C) == ["low_rank"]
    bent = nn.Sequential(linear(C, 2), nn.ReLU(), linear(2, C))
    assert forms(tools, bent, B, T, C) == []
    wide = nn.Sequential(linear(C, 2 * C), linear(2 * C, C))
    assert forms(tools, wide, B, T, C) == []


@pytest.mark.parametrize(
    "module, found",
    [
        (nn.Conv1d(C, C, 3, padding=1, groups=C), ["depthwise_conv"]),
        (nn.Conv1d(C, C, 3, padding=1), []),
        (nn.Conv1d(C, C, 3, padding=1, groups=C, stride=2), []),
        (nn.Conv1d(C, C, 3, groups=C), []),
        (nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(C, C, 3, groups=C)), []),
    ],
)
def test_a_depthwise_convolution_keeps_the_length_and_sees_both_sides(tools, module, found):
    assert forms(tools, module, B, C, 11) == found


def test_only_a_pool_that_meets_another_value_is_a_mixer(tools):
    pool = nn.AvgPool2d(3, stride=1, padding=1)
    assert forms(tools, Lambda(lambda m, x: m["p"](x) - x, p=pool), B, C, 5, 6) == ["pooling"]
    assert forms(tools, Lambda(lambda m, x: torch.relu(m["p"](x)), p=pool), B, C, 5, 6) == []


def convolved(size: int, length: int) -> nn.Module:
    class Convolution(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filter = nn.Parameter(torch.randn(C, length))

        def forward(self, x: Tensor) -> Tensor:
            spectrum = torch.fft.rfft(x, n=size) * torch.fft.rfft(self.filter, n=size)
            return torch.fft.irfft(spectrum, n=size)[..., :length]

    return Convolution()


@pytest.mark.parametrize("size, found", [(2 * 9, ["long_conv"]), (9, ["dft", "dft"])])
def test_only_a_causal_transform_becomes_a_convolution(tools, size, found):
    module = convolved(size, 9)
    x = torch.randn(B, C, 9)
    model = bind_shapes(tools.export_module(module, (x,), 20), {})
    name = str(model.graph.inputs[0].name)
    report = run_passes(model, phases=tools.recognise_phases)
    noted = [str(n.facts["form"]) for n in report.notes if n.subject == "mixer"]
    assert (noted == found) if found == ["long_conv"] else "long_conv" not in noted
    (got,) = tools.run(model, {name: x.numpy()})
    np.testing.assert_allclose(got, module(x).detach().numpy(), rtol=1e-4, atol=1e-4)


def test_cosines_are_a_transform_and_noise_is_none(tools):
    angle = 2 * np.pi * np.outer(np.arange(T), np.arange(T)) / T

    def left(matrix: np.ndarray) -> ir.Model:
        source = f"""<ir_version: 10, opset_import: ["" : 20]>
        m (float[{B},{T},{C}] x, float[{T},{T}] w) => (float[{B},{T},{C}] y)
        {{ y = MatMul(w, x) }}"""
        return tools.text(source, {"w": matrix.astype(np.float32)})

    noise = np.random.default_rng(0).standard_normal((T, T))
    for matrix, form in ((0.5 * np.cos(angle), "dft"), (noise, "token_linear")):
        report = run_passes(left(matrix), phases=tools.recognise_phases)
        assert [n.facts["form"] for n in report.notes if n.subject == "mixer"] == [form]
