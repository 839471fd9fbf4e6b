"""`make demo`: the models that ship, compiled, run on real input, checked and profiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgemoe
from edgemoe.artifact import Artifact
from edgemoe.buckets import feed_for, plan_buckets
from edgemoe.cli.console import Console
from edgemoe.cli.profile import print_profile
from edgemoe.frontend import load_model
from edgemoe.models.checkpoint import read_record
from edgemoe.models.series import co2_series
from edgemoe.reference import Reference
from edgemoe.runtime.generate import generate, vocabulary_of
from edgemoe.runtime.profile import profile

OUT = Path("build/demo")
DATA = Path(__file__).parent / "data"

Array = NDArray[np.float32]


def main() -> None:
    """Run the demo; artifacts go to build/demo."""
    OUT.mkdir(parents=True, exist_ok=True)
    language_model("moe_lm:char_moe", "a top-k MoE character model with a shared expert")
    language_model("blockffn_lm:char_blockffn", "a BlockFFN character model: ReLU routing")
    forecaster()
    digits()
    print(f"\nThe artifacts are in {OUT}/. Try:")
    print("  .venv/bin/edgemoe generate build/demo/char_moe --prompt 'ROMEO:'")
    print("  .venv/bin/edgemoe inspect build/demo/char_moe")


def compiled(factory: str, **options: Any) -> Artifact:
    """Compile a model that ships; every stage is a line."""
    name = factory.split(":")[1]

    console = Console()
    with console.progress() as show:
        artifact = edgemoe.compile(
            f"edgemoe.models.{factory}", out=OUT / name, progress=show, **options
        )  # fmt: skip
    memory = artifact.manifest["memory"]
    print(
        f"  {artifact.path}: weights {memory['weights_bytes']:,} B, arena "
        f"{memory['arena_bytes']:,} B (lower bound {memory['lower_bound_bytes']:,} B)"
    )
    return artifact


def title(text: str) -> None:
    """A heading."""
    print(f"\n{text}\n{'=' * len(text)}")


def difference(got: Array, wanted: Array) -> float:
    """Relative RMS error."""
    return float(np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2)))


def language_model(factory: str, what: str) -> None:
    """Score and continue a sonnet that the model has not seen."""
    title(f"{factory.split(':')[1]}: {what}")
    artifact = compiled(factory, tokens=[1, 8, 64])
    record = read_record(factory.split(":")[1])
    with artifact.load() as session:
        text = (DATA / "sonnet18.txt").read_text("utf-8")[:256]
        tokens = np.array(vocabulary_of(session).encode(text), np.int64)
        logits = session.run({"tokens": tokens})["logits"]
        loss = cross_entropy(logits[:-1], tokens[1:])
        source = load_model(f"edgemoe.models.{factory}", dynamic=True)
        buckets = plan_buckets(source.model, [len(tokens)], {})
        feed = feed_for(buckets.bind(len(tokens)), {}, source.states) | {"tokens": tokens}
        wanted = Reference(buckets).run(feed, len(tokens))["logits"]
        print(f"  Sonnet 18, {len(tokens)} characters at once (64 + 64 + 64 + 64):")
        print(f"  cross-entropy {loss:.4f} nats per character, onnxruntime "
              f"{cross_entropy(wanted[:-1], tokens[1:]):.4f}; relative RMS error of the logits "
              f"{difference(logits, wanted):.1e}")  # fmt: skip
        print(f"  on {record['data']}, {record['split']}: {record['value']} {record['metric']}; "
              f"controls {record['controls']}")  # fmt: skip
        text = "".join(generate(session, "ROMEO:", max_tokens=120, temperature=0.6, seed=1))
        print(f"  it continues 'ROMEO:' with {text!r}\n")
        session.reset()
        print_profile(profile(session, {"tokens": tokens[:64]}, runs=20))


def cross_entropy(logits: Array, following: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood in nats: logits [T, V], the characters that came [T]."""
    shifted = logits - logits.max(-1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return float(-log[np.arange(len(following)), following].mean())


def forecaster() -> None:
    """Forecast the test part of the weekly CO2 series."""
    title("co2: a TSMixer-style forecaster, 104 weeks -> 26 weeks")
    artifact = compiled("forecaster:co2")
    record = read_record("co2")
    past, future = (t.numpy() for t in co2_series().windows("test", 104, 26))
    with artifact.load() as session:
        forecasts = np.concatenate([session.run({"x": x[None]})["y"] for x in past])
        mse = float(np.mean((forecasts - future) ** 2))
        reference = Reference(
            plan_buckets(load_model("edgemoe.models.forecaster:co2").model, None, {})
        )
        wanted = np.concatenate([reference.run({"x": x[None]}, None)["y"] for x in past])
        print(f"  {len(past)} test windows: MSE {mse:.5f} (recorded {record['value']}); relative "
              f"RMS error to onnxruntime {difference(forecasts, wanted):.1e}")  # fmt: skip
        print(f"  controls {record['controls']}\n")
        print_profile(profile(session, {"x": past[:1]}, runs=50))


def digits() -> None:
    """Classify the digits of the held-out sample."""
    title("digits: an MLP-Mixer on 8x8 images")
    artifact = compiled("digits_mixer:digits")
    record = read_record("digits")
    with np.load(DATA / "digits_test.npz") as archive:
        images, labels = archive["image"].astype(np.float32) / 16, archive["label"]
    with artifact.load() as session:
        logits = np.concatenate([session.run({"image": x[None]})["logits"] for x in images])
    accuracy = float(np.mean(logits.argmax(-1) == labels))
    print(f"  {len(labels)} held-out images: accuracy {accuracy:.4f} (recorded {record['value']}); "
          f"controls {record['controls']}")  # fmt: skip


if __name__ == "__main__":
    main()
