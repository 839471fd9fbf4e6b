"""What the models that ship need on microcontrollers, and what integers cost them.

    python -m benchmarks.microcontroller_demos --etth1 ETTh1.csv --json F
    python -m benchmarks.microcontroller_demos --table F

Each is compiled with int8 weights and 256 samples of its validation split, without a budget, and
judged on its whole test split by the C that the device gets, compiled for this machine; the core in
QEMU has to give the same bits on 200 samples, evenly spread. A second table counts the instructions
of the expert layers of `sensor_moe` against dense layers. Instructions are not cycles.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import edgemoe
from benchmarks.compression.tables import percent, table
from benchmarks.machine import facts
from benchmarks.microcontrollers import program, value
from edgemoe.compression.metrics import METRICS
from edgemoe.integer.arithmetic import scaling
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.models.calibration import arrays
from edgemoe.plan import TensorInfo
from edgemoe.runtime.mcu_arrays import dequantised, quantised
from edgemoe.runtime.mcu_profile import McuProfile, profile_mcu

Array = NDArray[Any]

FACTORIES = {
    "etth1": "edgemoe.models.forecaster:etth1",
    "co2": "edgemoe.models.forecaster:co2",
    "digits": "edgemoe.models.digits_mixer:digits",
    "sensor_moe": "edgemoe.models.sensor_moe:sensor_moe",
}
METRIC = {"etth1": "mse", "co2": "mse", "digits": "accuracy", "sensor_moe": "accuracy"}
DEMOS = (
    ("etth1", "cortex-m4"), ("co2", "cortex-m4"), ("digits", "cortex-m4"),
    ("digits", "cortex-m55"), ("digits", "rv32imc"), ("sensor_moe", "cortex-m4"),
    ("sensor_moe", "cortex-m55"), ("sensor_moe", "rv32imc"),
)  # fmt: skip
WHOLE = 1 << 30
"""More samples than any split has."""
ON_THE_CORE = 200
"""Samples of the test split that run in the emulator."""
WINDOWS = 10
"""Of the test split; how many rows an expert has depends on the input."""
LIMITS = {
    "loss": 0.01, "flash": {"etth1": 256 << 10, "digits": 64 << 10}, "ram": {"etth1": 64 << 10},
    "beyond weights": {"etth1": 24 << 10}, "arena / live set": 1.05, "experts / dense": 1.15,
}  # fmt: skip
TRAINED = ("bias", "gamma", "beta")
"""Ends of the names of sections that a float program has too, beside its matrices."""
HEADS = (
    "model", "core", "flash", "beyond weights", "arena", "inputs, outputs", "stack",
    "instructions", "metric", "float32", "integers", "loss", "samples", "same bits in QEMU",
    "misses",
)  # fmt: skip
EXPERT_HEADS = (
    "layer", "against the active share of", "instructions", "per MAC", "dense", "ratio",
    "ratio of the products alone", "ratio with the weighted sum",
)  # fmt: skip


def demo(name: str, target: str, data: Path | None, folder: Path) -> dict[str, Any]:
    """Compile, judge and count one model on one core."""
    out = folder / f"{name}-{target}"
    edgemoe.compile(
        FACTORIES[name], target=target, out=out, precision="i8",
        calibration=arrays(name, data, split="validate"),
    )  # fmt: skip
    found = profile_mcu(out)
    memory = found.memory
    x, y = inputs_of(name, data)
    fp32 = in_float32(name, x)
    codes, integers, same, on_core = both_devices(out, x)
    exact = integers.reshape(fp32.shape)
    metric = METRICS[METRIC[name]]

    def mean(output: Array, target_values: Array) -> float:
        found, weight = metric.measure(output, output, target_values)
        return found / weight

    before, after = mean(fp32, y), mean(exact, y)
    part = mean(exact[on_core], y[on_core]), mean(fp32[on_core], y[on_core])
    flash = memory["flash"]
    weights = flash["weights"]
    return {
        "model": name, "target": target, "flash": flash,
        "flash_bytes": flash["code"] + flash["constants"] + sum(weights.values()),
        "beyond_weights_bytes": flash["code"] + flash["constants"] + not_trained(out),
        "ram": memory["ram"], "arena_bytes": memory["arena_bytes"],
        "live_set_bytes": memory["lower_bound_bytes"], "stack": memory["stack"],
        "compiler": memory["compiler"], "instructions": found.instructions, "macs": found.macs,
        "metric": METRIC[name], "fp32": before, "integers": after,
        "loss": loss(METRIC[name], before, after), "samples": len(x), "input_dtype": codes,
        "qemu_samples": len(on_core), "qemu_equal_samples": same, "qemu_metric": part[0],
        "qemu_fp32": part[1], "qemu_loss": loss(METRIC[name], part[1], part[0]),
    }  # fmt: skip


def not_trained(out: Path) -> int:
    """Bytes of tables and multipliers, which the model in float32 does not have."""
    sections = json.loads((out / "plan.json").read_text("utf-8"))["weights"]
    return sum(
        s["nbytes"] for s in sections
        if s["role"] not in ("linear", "expert") and not s["name"].endswith(TRAINED)
    )  # fmt: skip


def in_float32(name: str, x: Array) -> Array:
    """What the trained model makes of samples, in PyTorch."""
    import torch

    package, factory = FACTORIES[name].split(":")
    module = getattr(importlib.import_module(package), factory)()[0].eval()
    with torch.no_grad():
        parts = [module(part) for part in torch.from_numpy(x).split(64)]
        return np.asarray(torch.cat(parts).numpy())


def inputs_of(name: str, data: Path | None) -> tuple[Array, Array]:
    """The whole test split: inputs [W, ...] without the batch axis of 1, and targets [W, ...]."""
    found = arrays(name, data, split="test", samples=WHOLE)
    x = next(array for key, array in found.items() if not key.startswith("target:"))
    y = next(array for key, array in found.items() if key.startswith("target:"))
    return x[:, 0], y[:, 0]


def both_devices(out: Path, x: Array) -> tuple[str, Array, int, Array]:
    """Run all samples on the host and some on the core.

    Returns:
        (dtype of the input, outputs of the host as floats, how many samples of the core have the
        same bits, which samples those of the core are)
    """
    with edgemoe.load(out, device="host") as host:
        given, gives = host.inputs[0], host.outputs[0]
        codes = [quantised(sample[None], given) for sample in x]
        results = [host.run({given.name: code})[gives.name] for code in codes]
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), ON_THE_CORE)).astype(np.int64))
    with edgemoe.load(out, device="qemu") as core:
        same = sum(
            np.array_equal(core.run({given.name: codes[i]})[gives.name], results[i]) for i in chosen
        )
    return given.dtype, dequantised(np.concatenate(results), gives), same, chosen


def loss(metric: str, before: float, after: float) -> float:
    """What is lost relative to float32; negative where it is gained."""
    return after / before - 1 if metric == "mse" else 1 - after / before


def misses(r: Mapping[str, Any]) -> list[str]:
    """Which limits a demo misses."""
    name = r["model"]
    ram = r["arena_bytes"] + r["ram"]["states"] + r["ram"]["inputs and outputs, of the caller"]
    checks = {
        "loss": r["loss"] <= LIMITS["loss"],
        "loss in QEMU": r["qemu_loss"] <= LIMITS["loss"],
        "bits": r["qemu_equal_samples"] == r["qemu_samples"],
        "flash": r["flash_bytes"] < LIMITS["flash"].get(name, np.inf),
        "RAM": ram < LIMITS["ram"].get(name, np.inf),
        "code": r["beyond_weights_bytes"] < LIMITS["beyond weights"].get(name, np.inf),
        "arena": r["arena_bytes"] <= LIMITS["arena / live set"] * r["live_set_bytes"],
    }
    return [what for what, kept in checks.items() if not kept]


def expert_layers(folder: Path, data: Path) -> dict[str, Any]:
    """Instructions of the expert layers of `sensor_moe` on a Cortex-M4, mean over windows."""
    from edgemoe.models import sensor_moe as m

    out, windows = folder / "sensor_moe-cortex-m4", inputs_of("sensor_moe", data)[0]
    chosen = np.linspace(0, len(windows) - 1, WINDOWS).astype(np.int64)
    profiles = [profile_mcu(out, {"x": windows[i][None]}, runs=5) for i in chosen]
    layers = layers_of(profiles)
    target, rows = "cortex-m4", m.CHOSEN * m.TOKENS
    bits = 16 if "em_finish4_s16" in last_product(out) else 8
    dense = {
        "all": block(target, m.TOKENS, m.WIDTH, m.EXPERTS * m.INTERMEDIATE, bits, folder),
        "rows": block(target, rows, m.WIDTH, m.INTERMEDIATE, bits, folder),
    }
    return {"windows": len(chosen), "layers": layers, "dense": dense, "output_bits": bits}


def layers_of(profiles: Sequence[McuProfile]) -> list[dict[str, Any]]:
    """From the queues to the last product of every layer, means over the profiles."""
    found: list[dict[str, Any]] = []
    steps = profiles[0].steps
    products = [s for s in steps if s.kernel.startswith("expert_linear")]
    for queue in (s for s in steps if s.kernel.startswith("queues")):
        own = [s for s in products if s.origin == queue.origin]
        counted = {
            f"{s.step}: {s.label}": float(np.mean([p.steps[s.step].instructions for p in profiles]))
            for s in steps[queue.step : own[-1].step + 1]
        }
        rest = {s.step for s in steps[own[-1].step + 1 :] if s.origin == queue.origin}
        after = float(np.mean([sum(p.steps[i].instructions for i in rest) for p in profiles]))
        macs = sum(s.macs for s in own)
        found.append({"layer": queue.origin, "steps": counted, "macs": macs, "after": after})
    return found


def last_product(out: Path) -> str:
    """The C of the second product of the experts."""
    text = next(out.glob("*_kernels.c")).read_text("utf-8")
    return text.split("_expert_linear_1(")[-1].split("\n}\n")[0]


def block(
    target: str, rows: int, width: int, inner: int, bits: int, folder: Path
) -> dict[str, Any]:
    """Instructions of a dense block of the width of the experts: product, table, product."""
    feed = {"x": np.random.default_rng(1).integers(-128, 128, (rows, width)).astype(np.int8)}
    kind = np.dtype(f"int{bits}")
    graph = block_graph(rows, width, inner, kind)
    y = TensorInfo("y", kind.name, (rows, width))
    found = program(target, graph, feed, y, folder)[1]
    steps = {f"{s.step}: {s.label}": s.instructions for s in found.steps}
    products = sum(s.instructions for s in found.steps if s.kernel.startswith("linear"))
    return {"rows": rows, "inner": inner, "macs": found.macs, "instructions": found.instructions,
            "products": products, "steps": steps}  # fmt: skip


def block_graph(rows: int, width: int, inner: int, out: np.dtype[Any]) -> ir.Model:
    """Linear, Table and Linear on int8 [rows, width]."""
    chance = np.random.default_rng(0)
    constants: list[ir.Value] = []
    nodes: list[ir.Node] = []

    def product(number: int, x: ir.Value, columns: int, kind: np.dtype[Any]) -> ir.Value:
        assert x.shape is not None
        depth = int(x.shape[-1])  # type: ignore[call-overload]
        bound = 128 * 127 * depth + 1000
        limits = np.iinfo(kind)
        given = scaling(chance.uniform(0.2, 1.0, columns) * 4 * limits.max / bound, bound)
        made = [
            value(f"{what}{number}", array, constant=True)
            for what, array in (
                ("w", chance.integers(-127, 128, (columns, depth)).astype(np.int8)),
                ("b", chance.integers(-1000, 1000, columns).astype(np.int32)),
                ("m", given.multiplier),
            )
        ]
        constants.extend(made)
        y = value(f"y{number}", np.zeros((rows, columns), kind))
        numbers = {"left": given.left, "right": given.right, "zero": 0, "low": int(limits.min),
                   "high": int(limits.max), "bits": limits.bits, "weight_bits": 8}  # fmt: skip
        attributes = [ir.AttrInt64(k, v) for k, v in numbers.items()]
        nodes.append(ir.Node(DOMAIN, "Linear", [x, *made], attributes, outputs=[y]))
        nodes[-1].name = f"product{number}"
        return y

    x = value("x", np.zeros((rows, width), np.int8))
    inside = product(0, x, inner, np.dtype(np.int8))
    values = value("t", np.arange(-128, 128).clip(0).astype(np.int8), constant=True)
    constants.append(values)
    curved = value("curved", np.zeros((rows, inner), np.int8))
    bits = [ir.AttrInt64("bits", 8)]
    nodes.append(ir.Node(DOMAIN, "Table", [inside, values], bits, outputs=[curved], name="table"))
    y = product(1, curved, width, out)
    y.name = "y"
    graph = ir.Graph(
        [x], [y], nodes=nodes, initializers=constants, opset_imports={"": 21, DOMAIN: 1},
        name=f"block_{rows}_{inner}",
    )  # fmt: skip
    return ir.Model(graph, ir_version=10)


def demo_rows(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The rows of the table of the demos."""
    return [
        (
            f"`{r['model']}`", r["target"], f"{r['flash_bytes']:,}",
            f"{r['beyond_weights_bytes']:,}", f"{r['arena_bytes']:,}",
            f"{r['ram']['inputs and outputs, of the caller']:,}",
            f"{r['stack']['bytes']:,}" if r["stack"] else "unknown",
            f"{r['instructions']:,.0f}", {"mse": "MSE"}.get(r["metric"], r["metric"]),
            f"{r['fp32']:.4g}", f"{r['integers']:.4g}", percent(r["loss"]), f"{r['samples']:,}",
            f"{r['qemu_equal_samples']} of {r['qemu_samples']}", ", ".join(misses(r)) or "none",
        )
        for r in results
    ]  # fmt: skip


def expert_rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows of the table of the experts: every layer against both dense blocks."""
    rows = []
    for layer in found["layers"]:
        total = sum(layer["steps"].values())
        own = sum(
            n for label, n in layer["steps"].items() if "experts of" in label and "->" in label
        )
        for kind, what in (
            ("all", "one block as wide as all experts"),
            ("rows", "one block as wide as an expert, as many rows"),
        ):
            dense = found["dense"][kind]
            share = layer["macs"] / dense["macs"]
            wanted = share * dense["instructions"]
            rows.append(
                (f"`{layer['layer']}`", what, f"{total:,.0f}", f"{total / layer['macs']:.2f}",
                 f"{wanted:,.0f}", f"{total / wanted:.2f}",
                 f"{own / (share * dense['products']):.2f}",
                 f"{(total + layer['after']) / wanted:.2f}")
            )  # fmt: skip
    return rows


def text_of(document: Mapping[str, Any]) -> str:
    """Both tables."""
    parts = [table(HEADS, demo_rows(document["results"]))]
    if document["experts"] is not None:
        parts.append(table(EXPERT_HEADS, expert_rows(document["experts"])))
    return "\n\n".join(parts)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontroller_demos", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--etth1", type=Path, metavar="CSV", help="data of etth1 and sensor_moe")
    parser.add_argument("--models", type=lambda t: t.split(","), default=list(FACTORIES))
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table:
        print(text_of(json.loads(given.table.read_text("utf-8"))))
        return
    if given.etth1 is None and {"etth1", "sensor_moe"} & set(given.models):
        parser.error("etth1 and sensor_moe need --etth1 ETTh1.csv; or give --models co2,digits")
    # Names of files that are not the repository's stay out of the record.
    told = [Path(a).name if Path(a) == given.etth1 else a for a in sys.argv[1:]]
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.microcontroller_demos", *told]),
        "facts": facts(), "limits": LIMITS, "results": [], "experts": None,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as room:
        for name, target in DEMOS:
            if name in given.models:
                document["results"].append(demo(name, target, given.etth1, Path(room)))
                print(table(HEADS, demo_rows(document["results"][-1:])), file=sys.stderr)
        if "sensor_moe" in given.models:
            document["experts"] = expert_layers(Path(room), given.etth1)
    print(text_of(document))
    if given.json:
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
