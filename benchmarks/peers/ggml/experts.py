"""The experts of a layer, as llama.cpp builds them."""

from __future__ import annotations

from ctypes import c_int, c_void_p

from benchmarks.cases import Moe
from benchmarks.peers.ggml.graph import Graph


def experts(graph: Graph, x: c_void_p, moe: Moe, tokens: int, prefix: str = "") -> c_void_p:
    """Routed and shared experts on x, float32 [H, T], to the same.

    `prefix` stands before the names of the weights.
    """
    y = _routed(graph, x, moe, tokens, prefix)
    return graph.op("add", y, _shared(graph, x, prefix)) if moe.shared else y


def _routed(graph: Graph, x: c_void_p, moe: Moe, tokens: int, prefix: str) -> c_void_p:
    """As `llm_graph_context::build_moe_ffn` of llama.cpp, with softmax and renormalisation.

    The router is part of the graph and stays float32.
    """
    op, weights = graph.op, graph.weights
    probabilities = op("soft_max", op("mul_mat", weights[f"{prefix}router"], x))
    ids = op("argsort_top_k", probabilities, c_int(moe.chosen))  # [K, T]
    column = op("reshape_3d", probabilities, 1, moe.experts, tokens)
    shares = op("reshape_2d", op("get_rows", column, ids), moe.chosen, tokens)
    shares = op("div", shares, op("sum_rows", shares))
    shares = op("reshape_3d", shares, 1, moe.chosen, tokens)
    rows = op("reshape_3d", x, moe.hidden, 1, tokens)
    gate = op("mul_mat_id", weights[f"{prefix}gate"], rows, ids)  # [I, K, T]
    up = op("mul_mat_id", weights[f"{prefix}up"], rows, ids)
    inner = op("swiglu_split", gate, up)
    out = op("mul_mat_id", weights[f"{prefix}down"], inner, ids)  # [H, K, T]
    out = op("mul", out, shares)
    row = moe.hidden * 4
    parts = [
        op("view_2d", out, moe.hidden, tokens, row * moe.chosen, row * number)
        for number in range(moe.chosen)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = op("add", total, part)
    return total


def _shared(graph: Graph, x: c_void_p, prefix: str) -> c_void_p:
    op, weights = graph.op, graph.weights
    gate = op("mul_mat", weights[f"{prefix}shared_gate"], x)
    up = op("mul_mat", weights[f"{prefix}shared_up"], x)
    return op("mul_mat", weights[f"{prefix}shared_down"], op("swiglu_split", gate, up))
