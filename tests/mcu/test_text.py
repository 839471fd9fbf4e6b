"""A language model of integers types on the core what the reference of its arithmetic types."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe
from edgemoe.runtime.generate import generate

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")

TEXT = "the quick brown fox jumps over it"


class Reader(torch.nn.Module):
    """Guesses from one character and its place, with a layer of BlockFFN; the place is a state."""

    def __init__(self) -> None:
        from edgemoe.models.blockffn_lm import BlockFFN
        from edgemoe.models.vocabulary import CHARACTERS

        super().__init__()
        self.embedding = torch.nn.Embedding(len(CHARACTERS), 16)
        self.places = torch.nn.Parameter(torch.randn(24, 16))
        self.norm = torch.nn.RMSNorm(16, eps=1e-6)
        self.experts = BlockFFN(16, 6, 8)
        self.export_options = {
            "input_names": ["tokens", "position"], "output_names": ["logits", "position_out"],
            "dynamic_shapes": ({0: "T"}, None), "states": {"position": "position_out"},
            "vocabulary": CHARACTERS,
        }  # fmt: skip

    def forward(self, tokens, position):
        rows = position + torch.arange(tokens.shape[0])
        x = self.embedding(tokens) + self.places[rows]
        x = x + self.experts(self.norm(x))
        logits = torch.nn.functional.linear(self.norm(x), self.embedding.weight)
        return logits, position + tokens.shape[0]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    from edgemoe.models.vocabulary import encode

    torch.manual_seed(3)
    numbers = encode(TEXT).numpy()
    calibration = {
        "tokens": np.stack([numbers[n : n + 12] for n in range(4)]),
        "target:logits": np.stack([numbers[n + 1 : n + 13] for n in range(4)]),
    }
    example = (encode("the"), torch.zeros(1, dtype=torch.int64))
    return edgemoe.compile(
        (Reader().eval(), example), name="text", target="cortex-m7",
        out=tmp_path_factory.mktemp("text") / "out", calibration=calibration, precision="i8",
    )  # fmt: skip


def test_experts_of_score_zero_are_skipped_and_the_loss_is_that_of_whole_texts(artifact):
    kernels = [step.kernel for step in artifact.plan.variants[0].steps]
    assert sum(name.startswith("active_ids") for name in kernels) == 1
    assert sum(name.startswith("expert_linear") for name in kernels) == 2
    assert sum(name.startswith("fill_rows") for name in kernels) == 1  # the sums, at the begin
    assert sum(name.startswith("finish_sums") for name in kernels) == 1
    found = artifact.manifest["accuracy"]
    assert found["metric"] == "cross-entropy" and abs(found["loss"]) < 0.05


@pytest.mark.needs("arm-none-eabi-gcc", "qemu-system-arm")
def test_text_on_the_core(artifact):
    texts = []
    for device in ("host", "qemu"):
        with edgemoe.load(artifact.path, device=device, check=True) as session:
            texts.append("".join(generate(session, "the ", max_tokens=12)))
            logits = session.run({"tokens": np.array([5])})["logits"]
            assert logits.dtype == np.float32
    assert texts[0] == texts[1] and len(texts[0]) == 12
