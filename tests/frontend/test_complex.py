"""Models with Fourier transforms and complex numbers, which ONNX has not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgemoe import export_module as export
from edgemoe.export_complex import real_transforms
from edgemoe.pass_check import run_in_onnxruntime


class GlobalFilter(nn.Module):
    """GFNet (Rao et al. 2021, arXiv 2107.00645, equation 6): a filter on the spectrum."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 4, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x, dim=(1, 2), norm="ortho") * torch.view_as_complex(self.weight)
        return torch.fft.irfft2(spectrum, s=(5, 6), dim=(1, 2), norm="ortho")


class Spectrum(nn.Module):
    """Magnitude, phase and parts of a padded spectrum, with an axis put in between."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.fft.rfft(x, n=12).unsqueeze(1) * torch.exp(x.mean())
        return torch.cat([y.abs(), y.real, y.imag, (y * y.conj()).real], 1)


class Rotation(nn.Module):
    """A product with complex constants, as rotary positions are written."""

    def __init__(self) -> None:
        super().__init__()
        angle = torch.randn(6, 4)
        self.register_buffer("turn", torch.polar(torch.ones_like(angle), angle))

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * self.turn).flatten(-2)


CASES = [
    (GlobalFilter(), (2, 5, 6, 3)),
    (Spectrum(), (2, 9)),
    (Rotation(), (2, 6, 8)),
]


@pytest.mark.parametrize("module, shape", CASES, ids=lambda value: type(value).__name__)
def test_export_with_real_numbers_only(module, shape):
    x = torch.randn(*shape)
    exported = export.export_module(module.eval(), (x,))
    assert not {v.dtype for n in exported.model.graph for v in n.outputs} & {14, 15}
    (got,) = run_in_onnxruntime(
        exported.model, {str(exported.model.graph.inputs[0].name): x.numpy()}
    )
    np.testing.assert_allclose(got, module(x).detach().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("length", [None, 6, 11])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft"])
def test_transforms_equal_torch(name, length, norm):
    x = torch.randn(2, 8, 3, dtype=torch.float64)
    wanted = getattr(torch.fft, name)(x, n=length, dim=1, norm=norm)
    with real_transforms():
        got = getattr(torch.fft, name)(x, n=length, dim=1, norm=norm)
    torch.testing.assert_close(torch.complex(got.real, got.imag), wanted)


@pytest.mark.parametrize("length", [None, 7, 8, 12])
def test_the_real_inverse_equals_torch(length):
    x = torch.randn(2, 5, 3, dtype=torch.complex128)
    wanted = torch.fft.irfft(x, n=length, dim=1)
    with real_transforms():
        got = torch.fft.irfft(x, n=length, dim=1)
    torch.testing.assert_close(got, wanted)


def test_two_axes_equal_torch():
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    wanted = torch.fft.fft2(x).real, torch.fft.irfft2(torch.fft.rfft2(x), s=(4, 5))
    with real_transforms():
        got = torch.fft.fft2(x).real, torch.fft.irfft2(torch.fft.rfft2(x), s=(4, 5))
    torch.testing.assert_close(got, wanted)


def test_what_has_no_real_form_says_so():
    with real_transforms(), pytest.raises(NotImplementedError, match="no real form"):
        torch.sinh(torch.fft.fft(torch.randn(4)))


def test_torch_is_as_it_was():
    before = torch.fft.rfft
    with real_transforms():
        assert torch.fft.rfft is not before
    assert torch.fft.rfft is before
