"""The demo page in headless Chromium: the models that ship, and what it says without WebGPU."""

from __future__ import annotations

import json

import numpy as np
import pytest

import edgemoe
from benchmarks.browser import NO_WEBGPU, WEBGPU, browser, served
from edgemoe.models import web_demo

pytestmark = pytest.mark.needs("chromium|chromium-browser|google-chrome")

STATE = "document.body?.dataset.state"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of `models.web_demo`, served; gives its folder and its URL."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        # What compiling would check on a device is checked in the browser here.
        patch.setattr("edgemoe.targets.gpu.runs_here", lambda spec: False)
        # Several buckets are tested with toys, in Node.
        patch.setitem(web_demo.MODELS["char_moe"], "tokens", [1])
        web_demo.write_page(folder)
    with served(folder) as url:
        yield folder, url


@pytest.fixture(scope="module")
def tab(page):
    """The page opened once with WebGPU on the browser's software renderer."""
    with browser(*WEBGPU) as tab:
        tab.open(page[1])
        tab.wait_for(STATE, 240)
        yield tab


def dataset(tab, section, name):
    return tab.evaluate(f"document.getElementById('{section}').dataset['{name}'] ?? ''")


def test_every_model_runs(tab):
    failures = {name: dataset(tab, name, "failed") for name in ("text", "digits", "forecast")}
    assert failures == {"text": "", "digits": "", "forecast": ""}
    assert tab.evaluate(STATE) == "ready"
    assert "Running on" in tab.evaluate("document.getElementById('device').textContent")
    assert all(int(dataset(tab, name, "ready")) > 0 for name in failures)
    assert tab.log == []


def cpu(tmp_path, name):
    """The model compiled for this machine's CPU: what the page should show."""
    options = web_demo.MODELS[name]
    tokens = [1] if "tokens" in options else None
    return edgemoe.compile(
        options["model"], target="cpu", out=tmp_path / name, tokens=tokens
    ).load()


def test_the_forecast_is_the_models(tab, tmp_path):
    window = np.array(web_demo.windows(None)["windows"][0]["x"], np.float32).reshape(1, 512, 7)
    with cpu(tmp_path, "etth1") as session:
        wanted = session.run({"x": window})["y"].reshape(-1)[:7]
    got = [float(text) for text in dataset(tab, "forecast", "values").split()]
    assert np.abs(got - wanted).max() < 1e-4
    drawn = "document.querySelector('.plot').getContext('2d').getImageData(0, 0, 900, 280).data"
    assert tab.evaluate(f"{drawn}.some((x) => x > 0)")


def test_digits_are_read(tab):
    labels = []
    for digit in range(10):
        tab.evaluate(f"document.querySelectorAll('#digits .examples button')[{digit}].click()")
        tab.wait_for(f"document.getElementById('digits').dataset.digit === '{digit}'", 30)
        labels.append(digit)
    assert labels == [example["label"] for example in web_demo.digits()]


def test_a_drawn_one_is_read(tab):
    """A vertical stroke by the mouse, through the crop and the blocks of the page."""
    box = json.loads(
        tab.evaluate(
            "(() => { document.querySelector('#digits [name=clear]').click();"
            "const canvas = document.querySelector('.drawing'); canvas.scrollIntoView();"
            "const { left, top, width, height } = canvas.getBoundingClientRect();"
            "return JSON.stringify({ left, top, width, height }) })()"
        )
    )
    x = box["left"] + box["width"] / 2

    def mouse(kind, share, buttons):
        y = box["top"] + share * box["height"]
        tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons,
                 clickCount=1)  # fmt: skip

    mouse("mousePressed", 0.15, 1)
    for share in (0.3, 0.5, 0.7, 0.85):
        mouse("mouseMoved", share, 1)
    mouse("mouseReleased", 0.85, 0)
    tab.wait_for("document.getElementById('digits').dataset.digit === '1'", 30)


def test_text_is_typed_with_rate_and_experts(tab, tmp_path):
    tab.evaluate(
        "(() => { const form = document.querySelector('#text form');"
        "form.elements.temperature.value = 0; form.elements.prompt.value = 'ROMEO:';"
        "form.requestSubmit(); })()"
    )
    tab.wait_for("Number(document.getElementById('text').dataset.tokens) >= 24", 120)
    tab.evaluate("document.querySelector('#text [name=stop]').click()")
    typed = tab.evaluate("document.querySelector('#text .output').textContent")
    from edgemoe.runtime.generate import generate

    with cpu(tmp_path, "char_moe") as session:
        wanted = "ROMEO:" + "".join(generate(session, "ROMEO:", max_tokens=24))
    assert typed.startswith(wanted)
    assert float(dataset(tab, "text", "rate")) > 0
    rate = tab.evaluate("document.querySelector('#text .rate').textContent")
    assert "tokens per second" in rate
    layers = tab.evaluate(
        "JSON.stringify([...document.querySelectorAll('#text .layer')].map((layer) =>"
        "[...layer.querySelectorAll('i')].map((bar) => parseFloat(bar.style.height))))"
    )
    heights = np.array(json.loads(layers))  # per cent of the tokens; two experts for each
    assert heights.shape == (2, 8)
    assert np.allclose(heights.sum(1), 200, atol=0.1)


def test_the_fallback_message(page):
    with browser(*NO_WEBGPU) as tab:
        tab.open(page[1])
        assert tab.wait_for(STATE, 60) == "fallback"
        text = tab.evaluate("document.getElementById('device').textContent")
        assert text.startswith("These models need WebGPU: this browser has")
        assert tab.evaluate("document.querySelector('main').hidden")


def test_a_damaged_model_is_said_in_its_section(page):
    folder, url = page
    kernel = next((folder / "digits" / "kernels").iterdir())
    text = kernel.read_text()
    kernel.write_text(text + " ")
    try:
        with browser(*WEBGPU) as tab:
            tab.open(url)
            assert tab.wait_for(STATE, 240) == "failed"
            status = tab.evaluate("document.querySelector('#digits .status').textContent")
            assert f"'kernels/{kernel.name}' has {len(text) + 1} bytes, the manifest says" in status
    finally:
        kernel.write_text(text)
