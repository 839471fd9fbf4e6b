"""Small layers from torch to a call: numbers, dispatch, precision, budgets."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import BudgetError, InputError, StrictError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")

COUNTS = [1, 7, 8, 9, 33]
FORMS = ["gathered", "loop_where", "dense_scatter", "tiled_batch", "block_flat"]


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def in_torch(module, *arrays):
    with torch.no_grad():
        result = module.eval()(*(torch.from_numpy(a) for a in arrays))
    return [r.numpy() for r in (result if isinstance(result, tuple) else (result,))]


@pytest.fixture(params=FORMS)
def form(request, forms, compiled):
    """A form of MoE layer with its artifact for 1 and 8 tokens."""

    def make():
        layer = forms.FORMS[request.param](experts=4, chosen=2).eval()
        if isinstance(layer, (forms.Listed, forms.BlockFlat)):
            layer.up = layer.down = None  # these have weights of their own
        layer.export_options = {
            "input_names": ["x"], "output_names": ["y"], "dynamic_shapes": ({0: "T"},),
        }  # fmt: skip
        return layer, (torch.randn(6, forms.HIDDEN),)

    module = make()[0]
    return module, compiled(request.param, make, [1, 8], cpu="native")


def test_a_moe_layer_equals_torch(form, rms):
    module, model = form
    assert model.plan.dispatch == "split" and model.plan.facts["pad_ok"]
    for tokens in COUNTS:
        x = random(tokens, 12, seed=tokens)
        (wanted,) = in_torch(module, x)
        for isa, session in model.sessions().items():
            assert rms(session.run({"x": x})["y"], wanted) < 1e-5, (isa, tokens)


def test_its_experts_are_one_region(form):
    _, model = form
    for variant in model.plan.variants:
        (region,) = variant.regions
        assert (region.experts, region.tokens) == (4, variant.tokens)


def test_many_small_weights_and_large_tokens(form, rms):
    """Rows of which one is a million times another: none leaks into its neighbours."""
    module, model = form
    x = random(9, 12) * np.logspace(-3, 3, 9, dtype=np.float32)[:, None]
    (wanted,) = in_torch(module, x)
    got = model.best().run({"x": x})["y"]
    for row in range(9):
        assert rms(got[row], wanted[row]) < 1e-5


@pytest.fixture(scope="session")
def exactly(forms, compiled):
    """An artifact of the gathered form for one static count."""

    def get(tokens):
        def make():
            layer = forms.FORMS["gathered"](experts=4, chosen=2).eval()
            layer.export_options = {"input_names": ["x"], "output_names": ["y"]}
            return layer, (torch.randn(tokens, forms.HIDDEN),)

        return compiled(f"gathered-{tokens}", make, None, cpu="native")

    return get


@pytest.mark.parametrize("tokens", [7, 9])
def test_split_calls_have_the_bits_of_a_static_artifact(forms, compiled, exactly, tokens):
    def make():
        layer = forms.FORMS["gathered"](experts=4, chosen=2).eval()
        layer.export_options = {
            "input_names": ["x"], "output_names": ["y"], "dynamic_shapes": ({0: "T"},),
        }  # fmt: skip
        return layer, (torch.randn(6, forms.HIDDEN),)

    split, static = compiled("gathered", make, [1, 8], cpu="native"), exactly(tokens)
    assert static.plan.dispatch == "static" and static.plan.variants[0].tokens is None
    x = random(tokens, 12, seed=tokens)
    assert np.array_equal(split.best().run({"x": x})["y"], static.best().run({"x": x})["y"])


def attention(layers, compiled, causal, tokens):
    def make():
        return layers.Attention(causal).eval(), (torch.randn(6, 12),)

    kind = "causal" if causal else "bidirectional"
    return compiled(f"{kind}-{tokens}", make, tokens, cpu="native")


def test_causal_attention_is_padded(layers, compiled, rms):
    model = attention(layers, compiled, True, [4, 9])
    assert model.plan.dispatch == "pad"
    for tokens in range(1, 10):
        x = random(tokens, 12, seed=tokens)
        (wanted,) = in_torch(layers.Attention(True), x)
        assert rms(model.best().run({"x": x})["y"], wanted) < 1e-5
    with pytest.raises(InputError, match=r"runs 10 tokens.*compiled for 4, 9 tokens and pads"):
        model.best().run({"x": random(10, 12)})


def test_padded_calls_have_the_bits_of_an_exact_bucket(layers, compiled):
    padded = attention(layers, compiled, True, [4, 9])
    exact = attention(layers, compiled, True, [7])
    x = random(7, 12)
    assert np.array_equal(padded.best().run({"x": x})["y"], exact.best().run({"x": x})["y"])


def test_what_lies_in_the_padding_never_shows(layers, compiled):
    """A call with NaN goes first: nothing of it may be left where the next call pads."""
    session = attention(layers, compiled, True, [4, 9]).best()
    x = random(6, 12)
    before = session.run({"x": x})["y"]
    session.run({"x": np.full((9, 12), np.nan, np.float32)})
    assert np.array_equal(session.run({"x": x})["y"], before)


def test_bidirectional_attention_runs_only_its_buckets(layers, compiled, rms):
    model = attention(layers, compiled, False, [1, 8])
    assert model.plan.dispatch == "static"
    assert "tokens see what stands behind them" in model.plan.dispatch_reason
    for tokens in (1, 8):
        x = random(tokens, 12, seed=tokens)
        (wanted,) = in_torch(layers.Attention(False), x)
        assert rms(model.best().run({"x": x})["y"], wanted) < 1e-5
    message = r"runs 7 tokens: it was compiled for 1, 8 tokens; give one of these, or compile"
    with pytest.raises(InputError, match=message):
        model.best().run({"x": random(7, 12)})


def test_two_inputs_and_two_outputs(layers, compiled, rms):
    model = compiled(
        "two-by-two", lambda: (layers.TwoByTwo().eval(), (torch.randn(6, 12), torch.randn(6, 3))),
        [1, 8], cpu="native",
    )  # fmt: skip
    assert [(i.name, i.shape) for i in model.plan.inputs] == [("x", (-1, 12)), ("y", (-1, 3))]
    for tokens in COUNTS:
        x, y = random(tokens, 12, seed=1), random(tokens, 3, seed=2)
        wanted = in_torch(layers.TwoByTwo(), x, y)
        got = model.best().run({"x": x, "y": y})
        assert rms(got["a"], wanted[0]) < 1e-5 and rms(got["b"], wanted[1]) < 1e-5
    with pytest.raises(InputError, match=r"input 'y' has 2 tokens, input 'x' has 3"):
        model.best().run({"x": random(3, 12), "y": random(2, 3)})


def wide(layers):
    return layers.Wide().eval(), (torch.randn(6, 64),)


@pytest.fixture(scope="session")
def full(layers, compiled):
    return compiled("wide", lambda: wide(layers), [4], cpu="native")


def test_bf16_loses_a_little_and_halves_the_file(layers, compiled, full, rms):
    model = compiled("wide-bf16", lambda: wide(layers), [4], cpu="native", precision="bf16")
    x = random(9, 64)
    (wanted,) = in_torch(layers.Wide(), x)
    assert 2e-4 < rms(model.best().run({"x": x})["y"], wanted) < 1e-2
    assert 0.49 < model.plan.weights_bytes / full.plan.weights_bytes < 0.56
    formats = {s.role: s.format for s in model.plan.weights}
    assert formats["expert"] == "bfloat16"
    assert formats["router"] == "float32"
    for session in model.sessions().values():
        session.threads = 2
        two = session.run({"x": x})["y"]
        session.threads = 1
        assert np.array_equal(session.run({"x": x})["y"], two)


def test_a_byte_budget_chooses_bf16(layers, compiled, full):
    limit = full.plan.weights_bytes - 1
    model = compiled("wide-small", lambda: wide(layers), [4], cpu="native", max_bytes=limit)
    assert model.plan.weights_bytes <= limit
    (decision,) = [d for d in model.plan.decisions if d.subject == "weights"]
    assert decision.choice == "bfloat16"


def test_a_byte_budget_that_is_met_changes_nothing(layers, full, tmp_path):
    limit = full.plan.weights_bytes
    artifact = edgemoe.compile(
        wide(layers), out=tmp_path / "m", tokens=[4], cpu="native", max_bytes=limit
    )
    assert artifact.plan.weights_bytes == limit


def test_a_byte_budget_that_cannot_be_met(layers, full, tmp_path):
    with pytest.raises(BudgetError, match=r"needs [\d,]+ B of weights as i4") as caught:
        edgemoe.compile(
            wide(layers), out=tmp_path / "m", tokens=[4], cpu="native",
            max_bytes=full.plan.weights_bytes // 12,
        )  # fmt: skip
    assert caught.value.exit_code == 3
    assert "over by" in str(caught.value) and "try: a larger --max-bytes" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_loss_budget_is_measured(layers, tmp_path):
    samples = {"x": random(3, 4, 64)}
    options = {"tokens": [4], "cpu": "native", "precision": "bf16", "calibration": samples}
    artifact = edgemoe.compile(wide(layers), out=tmp_path / "m", max_loss=0.01, **options)
    assert 1e-4 < artifact.manifest["accuracy"]["relative_rms_error"]["y"] < 0.01
    assert artifact.manifest["accuracy"]["data"] == "3 calibration samples"
    with pytest.raises(BudgetError, match=r"output 'y' loses 0\.\d+% .* allows 0\.001%") as e:
        edgemoe.compile(wide(layers), out=tmp_path / "n", max_loss=1e-5, **options)
    assert e.value.exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_strict_lists_what_has_no_kernel(layers, tmp_path):
    with pytest.raises(StrictError, match=r"generic kernel: .*cos"):
        edgemoe.compile(
            (layers.Cosine().eval(), (torch.randn(6, 12),)), out=tmp_path / "m", tokens=[4],
            cpu="native", strict=True,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_strict_is_content_with_a_moe_layer(layers, tmp_path):
    edgemoe.compile(wide(layers), out=tmp_path / "m", tokens=[4], cpu="native", strict=True)


def test_a_body_over_rows_runs_through_single_products(layers, compiled, rms):
    model = compiled(
        "normed", lambda: (layers.NormedExperts().eval(), (torch.randn(6, 12),)), [1, 8],
        cpu="native",
    )  # fmt: skip
    templates = {kernel.name: kernel.template for kernel in model.plan.kernels}
    for variant in model.plan.variants:
        used = [templates[step.kernel] for step in variant.steps]
        assert used.count("experts") == 2, used
    for tokens in COUNTS:
        x = random(tokens, 12, seed=tokens)
        (wanted,) = in_torch(layers.NormedExperts(), x)
        assert rms(model.best().run({"x": x})["y"], wanted) < 1e-5


def test_experts_that_nobody_chose_are_not_read(layers, compiled, rms):
    """NaN in an expert shows wherever one of its weights is used."""
    poisoned = layers.ById(nan_expert=3).eval()
    model = compiled("by-id", lambda: (poisoned, layers.ById.example()), [1, 8], cpu="native")
    chance = np.random.default_rng(4)
    for tokens in COUNTS:
        x = random(tokens, 12, seed=tokens)
        ids = chance.choice([0, 1, 2, 4], (tokens, 2))
        (wanted,) = in_torch(layers.ById(), x, ids)
        assert rms(model.best().run({"x": x, "ids": ids})["y"], wanted) < 1e-5
    ids[0, 0] = 3
    y = model.best().run({"x": x, "ids": ids})["y"]
    assert np.isnan(y[0]).all() and not np.isnan(y[1:]).any()


@pytest.mark.parametrize("which", [[0, 0], [4, 4], [1, 4]])
def test_all_tokens_to_the_same_experts(layers, compiled, rms, which):
    model = compiled(
        "by-id", lambda: (layers.ById(nan_expert=3).eval(), layers.ById.example()), [1, 8],
        cpu="native",
    )  # fmt: skip
    x, ids = random(33, 12), np.tile(np.array(which), (33, 1))
    (wanted,) = in_torch(layers.ById(), x, ids)
    assert rms(model.best().run({"x": x, "ids": ids})["y"], wanted) < 1e-5
