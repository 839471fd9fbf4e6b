"""ggml on the CPU, driven through its C API: the graphs that llama.cpp builds.

W1 and W2 are an MoE layer, W3 a decoder. Experts go through MUL_MAT_ID; routers, norms and the
embedding stay float32. `repack` stores weights in the interleaved layout that ggml makes for this
CPU. The library is built here (pip compiles it for this very CPU) with its own thread pool.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from benchmarks.contestant import Array, Call, Contestant, Kit
from benchmarks.peers.ggml.decoder import Decoder, Form
from benchmarks.peers.ggml.experts import experts
from benchmarks.peers.ggml.graph import Graph, write_weights
from benchmarks.peers.ggml.library import TYPES, Library

NEEDS = "ggml"
REQUIREMENTS = ("ggml-python==0.0.45", "--no-binary=ggml-python")
BUILD_VARIABLES = {"CMAKE_ARGS": "-DGGML_NATIVE=ON -DGGML_OPENMP=OFF"}

FORMATS = {"f32": "f32", "f16": "f16", "bf16": "bf16", "q8_0": "i8", "q4_0": "i4", "q4_K": "i4"}
REPACKED = ("q4_0", "q4_K")
K_BLOCK = 256  # weights of a q4_K block


def contestants(case: Case) -> list[Contestant]:
    if case.moe is None:
        return []
    fits = min(case.moe.hidden, case.moe.inner) % K_BLOCK == 0
    names = [name for name in TYPES if name != "q4_K" or fits]
    names += [f"{name} repack" for name in REPACKED if name in names]
    if not case.is_layer:
        forms = ["", " flash"]
        if case.name == "W3.decode":  # without tokens before there is nothing to append to
            forms += [" in place", " flash in place"]
        names = [f"{name}{form}" for name in names for form in forms]
    return [Contestant("ggml", name, FORMATS[name.split()[0]]) for name in names]


def prepare(contestant: Contestant, kit: Kit) -> None:
    kind = TYPES[contestant.variant.split()[0]]
    write_weights(Library(), kit.weights(), kind, kit.folder_of(contestant))


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    assert kit.case.moe is not None
    name, *words = contestant.variant.split()
    graph = Graph(Library(), threads)
    graph.read_weights(kit.folder_of(contestant), TYPES[name], repacked="repack" in words)
    if not kit.case.is_layer:
        return decoder_call(graph, kit, Form(flash="flash" in words, in_place="place" in words))
    x = np.ascontiguousarray(kit.inputs()["x"])
    entry = graph.data(x)
    result = experts(graph, entry, kit.case.moe, kit.case.size)
    graph.finish(result)
    y = np.empty_like(x)

    def call() -> Array:
        graph.write(entry, x)
        graph.compute()
        graph.read(result, y)
        return y

    return call


def decoder_call(graph: Graph, kit: Kit, form: Form) -> Call:
    """The call of W3."""
    inputs = kit.inputs()
    decoder = Decoder(graph, inputs, form)
    x, y = inputs["x"].astype(np.int32), np.empty_like(kit.wanted())

    def call() -> Array:
        decoder.run(x, y)
        return y

    return call
