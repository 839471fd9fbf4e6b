"""The parts of the language models against their definitions, and decoding against prefill."""

import pytest

torch = pytest.importorskip("torch")

from edgemoe.models import blockffn_lm, domain_moe, moe_lm  # noqa: E402
from edgemoe.models.checkpoint import DATA  # noqa: E402
from edgemoe.models.vocabulary import CHARACTERS, decode, encode  # noqa: E402

FACTORIES = [moe_lm.char_moe, blockffn_lm.char_blockffn, domain_moe.domain_moe]
SONNET = (DATA / "sonnet18.txt").read_text()


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("count", [1, 7, 33, 256])
def test_decoding_token_by_token_equals_one_prefill(factory, count):
    model, (_, position, *caches) = factory()
    tokens = encode(SONNET[:count])
    prefill, end, *_ = model(tokens, position, *caches)
    state, rows = (position, *caches), []
    for token in tokens:
        logits, *state = model(token[None], *state)
        rows.append(logits)
    assert end.tolist() == state[0].tolist() == [count]
    assert (torch.cat(rows) - prefill).abs().max() <= 1e-5 * max(1, prefill.abs().max())


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_cached_form_equals_the_training_form(factory):
    model, (_, position, *caches) = factory()
    tokens = encode(SONNET[:65])
    whole = model.train().score(tokens[None])[0]
    cached = model.eval()(tokens, position, *caches)[0]
    assert (whole - cached).abs().max() <= 1e-5 * max(1, cached.abs().max())


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_sonnet_that_was_not_trained_on_is_predicted_better_than_chance(factory):
    model, (_, position, *caches) = factory()
    tokens = encode(SONNET[:257])
    logits = model(tokens[:-1], position, *caches)[0]
    assert torch.nn.functional.cross_entropy(logits, tokens[1:]) < 2.3  # unigram: 3.3


@pytest.mark.parametrize("experts, chosen", [(1, 1), (8, 2), (5, 5)])
def test_the_two_forms_of_the_experts_agree_with_their_definition(experts, chosen):
    torch.manual_seed(experts)
    layer = moe_lm.MoE(24, experts, chosen, 9).requires_grad_(False)
    x = torch.randn(7, 24)
    weights, ids = moe_lm.route(layer.router(x), chosen)
    expected = torch.zeros(7, 24)
    for t in range(7):
        for weight, e in zip(weights[t], ids[t], strict=True):
            expected[t] += weight * (layer.down[e] @ moe_lm.swiglu(layer.gate_up[e] @ x[t]))
    torch.testing.assert_close(layer.gathered(x, weights, ids), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(layer.looped(x, weights, ids), expected, rtol=0, atol=1e-5)


def test_an_even_load_has_balance_loss_one_and_a_collapsed_one_more():
    assert moe_lm.balance_loss(torch.eye(8), 1).item() == pytest.approx(1.0)
    assert moe_lm.balance_loss(torch.eye(8)[:1].expand(8, 8) * 9, 1).item() > 7


def test_block_ffn_agrees_with_its_definition():
    torch.manual_seed(0)
    layer = blockffn_lm.BlockFFN(24, 5, 3).requires_grad_(False).eval()
    layer.scale.uniform_(0.5, 2)
    x = torch.randn(7, 24)
    a = layer.router(x).relu()
    s = layer.scale * a / ((a * a).mean(dim=-1, keepdim=True) + 1e-6).sqrt()
    expected = torch.zeros(7, 24)
    for e in range(5):
        block = slice(3 * e, 3 * e + 3)
        inner = torch.nn.functional.silu(x @ layer.up.weight[block].T)
        expected += s[:, e, None] * (inner @ layer.down.weight[:, block].T)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)


def test_a_token_without_an_active_expert_scores_zero():
    scores = blockffn_lm.scores(-torch.ones(1, 4), torch.ones(4))
    assert scores.tolist() == [[0, 0, 0, 0]]


def test_sparsity_counts_experts_that_rest_in_a_whole_chunk():
    active = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]).bool()
    assert blockffn_lm.sparsity(active, 1) == pytest.approx(0.75)
    assert blockffn_lm.sparsity(active, 2) == pytest.approx(0.625)


def test_text_survives_the_vocabulary():
    assert decode(encode(SONNET)) == SONNET
    assert len(set(CHARACTERS)) == len(CHARACTERS) == 96


def test_a_foreign_character_is_named():
    with pytest.raises(ValueError, match="'é' is not in the vocabulary"):
        encode("café")
