"""MoE layers in float32 against onnxruntime: its exported graphs and its own MoE operator.

W1: H 512, I 1024, 16 experts, top 2. W2: H 512, I 256, 64 experts, top 8. SwiGLU, random weights.
Contestants of onnxruntime: `gather` (one gathered matrix per slot, transformers' batched form),
`loop` (NonZero and index_add per expert, unrolled) and `MoE op` (com.microsoft::MoE).

    python benchmarks/moe_layers.py [--threads 2] [--cases W1,W2] [--tokens 1,8,64,256] [--json F]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

import harness  # first: sets the thread count
import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import edgemoe

CASES = {"W1": (512, 1024, 16, 2), "W2": (512, 256, 64, 8)}


class Layer(nn.Module):
    """A softmax router, renormalised top-k, SwiGLU experts; `form` chooses the exported graph."""

    def __init__(self, hidden: int, inner: int, experts: int, chosen: int, form: str) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        make = lambda *shape: nn.Parameter(  # noqa: E731
            torch.randn(*shape, generator=generator) / shape[-1] ** 0.5
        )
        self.router = make(experts, hidden)
        self.gate_up = make(experts, 2 * inner, hidden)
        self.down = make(experts, hidden, inner)
        self.chosen, self.form = chosen, form

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, ids = torch.softmax(x @ self.router.T, -1).topk(self.chosen, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        return self.gather(x, ids, weights) if self.form == "gather" else self.loop(x, ids, weights)

    def gather(self, x: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        tokens, hidden = x.shape
        rows = x[:, None].expand(-1, self.chosen, -1).reshape(-1, hidden, 1)
        flat = ids.reshape(-1)
        gate, up = torch.bmm(self.gate_up[flat], rows)[..., 0].chunk(2, -1)
        out = torch.bmm(self.down[flat], (nn.functional.silu(gate) * up)[..., None])[..., 0]
        return (out.view(tokens, self.chosen, hidden) * weights[..., None]).sum(1)

    def loop(self, x: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        result = torch.zeros_like(x)
        for expert in range(len(self.gate_up)):
            token, slot = torch.where(ids == expert)
            gate, up = (x[token] @ self.gate_up[expert].T).chunk(2, -1)
            out = (nn.functional.silu(gate) * up) @ self.down[expert].T
            result = result.index_add(0, token, out * weights[token, slot, None])
        return result


def export(layer: Layer, tokens: int, folder: Path) -> Path:
    """The layer as torch exports it."""
    path = folder / f"{layer.form}-{tokens}.onnx"
    program = torch.onnx.export(
        layer, (torch.randn(tokens, layer.router.shape[1]),), dynamo=True, opset_version=20,
        input_names=["x"], output_names=["y"], verbose=False,
    )  # fmt: skip
    program.save(path)
    return path


def moe_operator(layer: Layer, tokens: int, folder: Path) -> Path:
    """The same layer as onnxruntime's own operator, which wants gate and up interleaved."""
    experts, double, hidden = layer.gate_up.shape
    gate, up = (
        layer.gate_up.detach().numpy().reshape(experts, 2, double // 2, hidden).swapaxes(0, 1)
    )
    interleaved = np.stack([gate, up], 2).reshape(experts, double, hidden)
    constants = {
        "router": layer.router.detach().numpy().T.copy(),
        "first": interleaved,
        "second": layer.down.detach().numpy(),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "router"], ["logits"]),
        helper.make_node(
            "MoE", ["x", "logits", "first", "", "second"], ["y"], domain="com.microsoft",
            k=layer.chosen, activation_type="swiglu", swiglu_fusion=1, normalize_routing_weights=1,
            activation_alpha=1.0, activation_beta=0.0, swiglu_limit=1e9,
        ),
    ]  # fmt: skip
    shape = [tokens, hidden]
    graph = helper.make_graph(
        nodes, "moe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    path = folder / f"op-{tokens}.onnx"
    onnx.save(model, path)
    return path


def session(path: Path, threads: int) -> ort.InferenceSession:
    """An onnxruntime session with its full graph optimisation."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_session(opened: ort.InferenceSession, x: np.ndarray) -> np.ndarray:
    """One call."""
    return opened.run(None, {"x": x})[0]


def run_case(name: str, tokens: int, threads: int, folder: Path) -> list[harness.Row]:
    """All contestants on one layer and token count."""
    layers = {form: Layer(*CASES[name], form).eval() for form in ("gather", "loop")}
    x = np.random.default_rng(tokens).standard_normal((tokens, CASES[name][0])).astype(np.float32)
    with torch.no_grad():
        wanted = layers["loop"](torch.from_numpy(x)).numpy()
    paths = {"ort loop": export(layers["loop"], tokens, folder)}
    paths["ort MoE op"] = moe_operator(layers["loop"], tokens, folder)
    if tokens <= 64:  # one gathered matrix per slot: gigabytes above that
        paths["ort gather"] = export(layers["gather"], tokens, folder)
    ours = edgemoe.compile(paths["ort loop"], out=folder / f"{name}-{tokens}").load(threads=threads)
    runs = {"edgemoe": lambda: ours.run({"x": x})["y"]}
    for title, path in paths.items():
        runs[title] = partial(run_session, session(path, threads), x)
    scale = np.sqrt(np.mean(wanted**2))
    errors = {
        title: float(np.sqrt(np.mean((run() - wanted) ** 2)) / scale) for title, run in runs.items()
    }
    times = harness.take_turns(runs)
    if tokens == 1:
        report_bandwidth(name, ours, times["edgemoe"], threads)
    return harness.rows_of(f"{name} T={tokens} threads={threads}", times, "edgemoe", errors)


def report_bandwidth(name: str, ours: edgemoe.Session, times: list[float], threads: int) -> None:
    """One token: the time over (bytes of the active experts) / (measured read bandwidth)."""
    hidden, inner, _, chosen = CASES[name]
    nbytes = 4 * 3 * hidden * inner * chosen
    _, gbps = ours.measure(threads=threads, seconds=0.5)
    bound = nbytes / (gbps * 1e9)
    print(
        f"{name} T=1 threads={threads}: {statistics.median(times) / bound:.2f} of the time to read "
        f"the {nbytes:,} B of the active experts at {gbps:.1f} GB/s"
    )


def main() -> None:
    """Run the benchmark."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", default="W1,W2")
    parser.add_argument("--tokens", default="1,8,64,256")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    for name in given.cases.split(","):
        for tokens in given.tokens.split(","):
            with tempfile.TemporaryDirectory() as folder:
                rows += run_case(name, int(tokens), given.threads, Path(folder))
    command = "python benchmarks/moe_layers.py " + " ".join(sys.argv[1:])
    harness.report("MoE layers, float32: time / edgemoe's time", rows, given.json, command)


if __name__ == "__main__":
    main()
