"""A language model of integers types on the core what the reference of its arithmetic types."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe
from edgemoe.runtime.generate import generate

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")

TEXT = "the quick brown fox jumps over it"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """Two layers of BlockFFN with fresh weights; a context of 24 characters."""
    from edgemoe.models.attention import DecoderConfig
    from edgemoe.models.blockffn_lm import BlockFFN
    from edgemoe.models.decoder import Decoder
    from edgemoe.models.vocabulary import encode

    torch.manual_seed(3)
    config = DecoderConfig(hidden=16, query_heads=2, kv_heads=1, capacity=24)
    model = Decoder(config, lambda: BlockFFN(config.hidden, 6, 8)).eval()
    numbers = encode(TEXT).numpy()
    calibration = {
        "tokens": np.stack([numbers[n : n + 12] for n in range(9)]),
        "target:logits": np.stack([numbers[n + 1 : n + 13] for n in range(9)]),
    }
    return edgemoe.compile(
        (model, model.example("the")), name="text", target="cortex-m7",
        out=tmp_path_factory.mktemp("text") / "out", calibration=calibration, precision="i8",
    )  # fmt: skip


def test_experts_of_score_zero_are_skipped_and_the_loss_is_that_of_whole_texts(artifact):
    kernels = [step.kernel for step in artifact.plan.variants[0].steps]
    assert sum(name.startswith("active_ids") for name in kernels) == 2
    assert sum(name.startswith("expert_linear") for name in kernels) == 4
    assert not any(name.startswith("fill_rows") for name in kernels)
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
