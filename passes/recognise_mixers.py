"""Say what each block of a mixer is."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.constant_products import Product, is_dft, product_of
from edgemoe.graph_facts import origin_of
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.mixer_blocks import Block, ProductBlocks
from edgemoe.mixer_windows import window_of
from edgemoe.token_axes import TokenAxes

_TEXTS = {
    "token_mlp": "an MLP over {tokens} tokens, {hidden} wide inside",
    "channel_mlp": "an MLP over {channels} channels, {hidden} wide inside",
    "token_linear": "one product over {tokens} tokens",
    "gate": "a {kind} gate over {size} {over}",
    "spatial_gate": "a gate computed over {tokens} tokens",
    "pooling": "{kind} pooling of {kernel} tokens",
    "depthwise_conv": "a depthwise convolution of {kernel} over {channels} channels",
    "long_conv": "a convolution as long as the sequence, {length}",
    "dft": "a Fourier transform of {size}",
    "block_diagonal": "a block-diagonal product of {blocks} blocks",
    "low_rank": "a product of rank {rank}, {in} to {out}",
}


@graph_pass(phase="recognise", after=("group_regions", "recognise_flat_blocks"))
def recognise_mixers(model: ir.Model, context: PassContext) -> int:
    """Note the token and channel mixing that the structure shows; the graph stays as it is.

    Given:  t = Transpose(x); h = Gelu(MatMul(t, *W)); y = Transpose(MatMul(h, *V))
    Result: a note: an MLP over tokens
    """
    for block in find_blocks(model.graph):
        text = _TEXTS[block.form].format(**block.facts)
        facts = {"form": block.form, **block.facts}
        node = block.node
        context.notes.append(Note("matched", "mixer", text, str(node.name), origin_of(node), facts))
    return 0


def find_blocks(graph: ir.Graph) -> list[Block]:
    """Return the mixer blocks; MLPs over channels only where something mixes tokens."""
    products: dict[ir.Node, Product] = {}
    blocks: list[Block] = []
    for node in graph:
        product = product_of(node)
        if product is not None:
            products[node] = product
        found = window_of(node) if product is None else None
        found = found or _block_diagonal(node)
        if found is not None:
            blocks.append(found)
    transforms = {node for node, product in products.items() if is_dft(product)}
    for node in transforms:
        blocks.append(Block("dft", node, {"size": _length(products.pop(node))}))
    blocks += ProductBlocks(products, TokenAxes(graph)).find()
    if all(block.form in ("channel_mlp", "low_rank", "block_diagonal") for block in blocks):
        blocks = [block for block in blocks if block.form != "channel_mlp"]
    order = {node: number for number, node in enumerate(graph)}
    return sorted(blocks, key=lambda block: order[block.node])


def _length(product: Product) -> int:
    """The length of the transform, whether or not real and imaginary parts are interleaved."""
    user = graph_facts.only_user(product.result)
    out = graph_facts.shape_of(user.outputs[0]) if user is not None else None
    interleaved = graph_facts.is_op(user, "Reshape") and out is not None and out[-1] == 2
    return (
        product.inputs // 2 if interleaved and product.inputs == product.outputs else product.inputs
    )


def _block_diagonal(node: ir.Node) -> Block | None:
    """A stack of matrices, each for its own part of the input."""
    x, weight = _stacked(node)
    shape, kernel = graph_facts.shape_of(x), graph_facts.shape_of(weight)
    if x is None or shape is None or kernel is None or not _was_cut(x, kernel[0]):
        return None
    facts: dict[str, object] = {"blocks": kernel[0], "in": kernel[1], "out": kernel[2]}
    return Block("block_diagonal", node, facts)


def _stacked(node: ir.Node) -> tuple[ir.Value | None, ir.Value | None]:
    if not graph_facts.is_op(node, "MatMul", "Einsum") or len(node.inputs) != 2:
        return None, None
    for x, weight in (node.inputs, node.inputs[::-1]):
        shape = graph_facts.shape_of(weight)
        if not graph_facts.is_constant(weight) or graph_facts.is_constant(x) or shape is None:
            continue
        lead = [d for d in shape[:-2] if d != 1]
        if len(lead) == 1 and len(shape) >= 3 and (len(shape) == 3 or shape[0] == 1):
            return x, weight
    return None, None


def _was_cut(value: ir.Value, blocks: int) -> bool:
    """Tell whether a value has its parts from a cut of one axis: no part was copied for them."""
    size = graph_facts.size_of(value)
    for _ in range(8):
        node = value.producer()
        if node is None or not graph_facts.is_op(node, "Transpose", *graph_facts.RESHAPES):
            return False
        source = node.inputs[0]
        before = graph_facts.shape_of(source)
        after = graph_facts.shape_of(node.outputs[0])
        if source is None or before is None or after is None or size != graph_facts.size_of(source):
            return False
        if not graph_facts.is_op(node, "Transpose") and blocks in after and blocks > 1:
            return len(after) > len(before) and before[-1] % blocks == 0 and after[-1] != before[-1]
        value = source
    return False
