"""PatchTSMixer (Ekambaram et al. 2023, arXiv 2306.09364), in the classes of transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

PATCHES, WIDTH, CHANNELS = 6, 8, 3


class Wrapped(nn.Module):
    """The model with one tensor as its result."""

    def __init__(self, model: nn.Module, result: str) -> None:
        super().__init__()
        self.model, self.result = model, result

    def forward(self, past_values: Tensor) -> Tensor:
        """Map [B, L, C] to what the head gives."""
        y: Tensor = getattr(self.model(past_values, return_loss=False), self.result)
        return y


def _make(head: str, result: str, **options: Any) -> Made:
    import transformers

    config = transformers.PatchTSMixerConfig(
        context_length=24, patch_length=4, patch_stride=4, num_input_channels=CHANNELS,
        d_model=WIDTH, expansion_factor=2, num_layers=2, dropout=0.0, head_dropout=0.0,
        prediction_length=5, **options,
    )  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"PatchTSMixer{head}")(config)
    if head == "ForPretraining":
        model.model.masking = None  # its mask is drawn at random, for the loss of training
    return randomise(Wrapped(model, result)), (noise(2, 24, CHANNELS),)


def _case(name: str, head: str, result: str, **options: Any) -> Case:
    gated, layers = options.get("gated_attn", True), 2
    block: list[dict[str, Any]] = []
    mixed = [("token_mlp", PATCHES, "tokens"), ("channel_mlp", WIDTH, "channels")]
    if options.get("mode") == "mix_channel":
        mixed.append(("token_mlp", CHANNELS, "tokens"))
    for form, size, key in mixed:
        block.append({"subject": "mixer", "form": form, key: size})
        if gated:
            block.append({"subject": "mixer", "form": "gate", "kind": "softmax", "size": size})
    return Case(
        f"patchtsmixer_{name}", lambda: _make(head, result, **options), found=tuple(block * layers),
        dynamic=({0: torch.export.Dim("batch")},),
        fails={"torchscript": "torch's older exporter writes a wrong shape for Tensor.unfold"},
    )  # fmt: skip


CASES = (
    _case("prediction", "ForPrediction", "prediction_outputs"),
    _case("mix_channel", "ForPrediction", "prediction_outputs", mode="mix_channel"),
    _case("ungated", "ForPrediction", "prediction_outputs", gated_attn=False),
    _case("self_attention", "ForPrediction", "prediction_outputs", self_attn=True,
          self_attn_heads=2),
    _case("regression", "ForRegression", "regression_outputs", num_targets=2),
    _case("classification", "ForTimeSeriesClassification", "prediction_outputs", num_targets=4),
    _case("pretraining", "ForPretraining", "prediction_outputs", mask_type="forecast",
          num_forecast_mask_patches=[2]),
)  # fmt: skip
