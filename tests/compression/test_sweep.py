from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from typer.testing import CliRunner

from edgemoe.cli.main import app
from edgemoe.compression import sweep as sweeping
from edgemoe.compression.sweep import Point, budget_of, pareto
from edgemoe.compression.sweep_plot import draw
from edgemoe.errors import OptionError, ToolError

LAYER = """<ir_version: 10, opset_import: ["" : 21]>
g (float[4,64] x) => (float[4,32] y) <float[64,32] w = {W}> { y = MatMul(x, w) }"""


def test_budgets_are_read():
    assert budget_of("0.5%").max_loss == 0.005 and budget_of(" 4K").max_bytes == 4096
    assert (budget_of("1.5M").max_bytes, budget_of("77").max_bytes) == (3 << 19, 77)
    for text in ("", "x", "5X", "%"):
        with pytest.raises(OptionError, match="--budgets"):
            budget_of(text)


def test_the_pareto_points():
    points = [Point("a", 10, 0.3), Point("b", 20, 0.1), Point("c", 15, 0.4), Point("d", None, None),
              Point("e", 30, 0.1), Point("f", 20, 0.2)]  # fmt: skip
    assert [p.budget for p in pareto(points)] == ["a", "b"]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_plot(tmp_path, suffix):
    draw([Point("1%", 10, 0.3, (0.1, 0.4), controls=(Point("fp32", 40, 0.0),)),
          Point("2%", None, None)], tmp_path / f"p{suffix}")  # fmt: skip
    assert (tmp_path / f"p{suffix}").stat().st_size > 1000
    with pytest.raises(OptionError, match="ends in"):
        draw([], tmp_path / "p.txt")


@pytest.fixture
def files(tmp_path):
    import onnx_ir as ir

    chance = np.random.default_rng(0)
    numbers = ", ".join(map(str, chance.normal(size=64 * 32).astype(np.float32)))
    model = ir.from_onnx_text(LAYER.replace("{W}", f"{{{numbers}}}"))
    ir.save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "c.npz", x=chance.normal(size=(24, 4, 64)).astype(np.float32))
    return tmp_path / "m.onnx", tmp_path / "c.npz"


def test_the_command(files, tmp_path):
    result = CliRunner().invoke(app, [
        "sweep", str(files[0]), "--calibration", str(files[1]), "--budgets", "0.00001%,2%,10K,9",
        "--search-time", "1", "--jobs", "1", "--plot", str(tmp_path / "p.png"), "--json",
        str(tmp_path / "r.json"),
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert "9,216" not in rows["0.00001%"] and "8,192" in rows["0.00001%"]
    assert "cannot be met" in rows["9"]
    sizes = [int(rows[b].split()[1].replace(",", "")) for b in ("0.00001%", "2%", "10K")]
    assert sizes[0] > sizes[1] and sizes[2] <= 10240
    assert (tmp_path / "p.png").exists()


def test_no_budget_can_be_met(files, monkeypatch):
    monkeypatch.setattr(sweeping, "_processes", lambda count: ThreadPoolExecutor(count))
    result = CliRunner().invoke(app, [
        "sweep", str(files[0]), "--calibration", str(files[1]), "--budgets", "9", "--jobs", "1",
    ])  # fmt: skip
    assert result.exit_code == 3 and "no budget can be met" in result.output


def test_one_domain_of_the_data(files, monkeypatch):
    monkeypatch.setattr(sweeping, "_processes", lambda count: ThreadPoolExecutor(count))
    jobs = []
    run = sweeping.run
    monkeypatch.setattr(sweeping, "run", lambda job: jobs.append(job) or run(job))
    arrays = dict(np.load(files[1]))
    np.savez(files[1], **arrays, **{"group:domain": np.array(["a", "b", "b"] * 8)})
    command = ["sweep", str(files[0]), "--calibration", str(files[1]), "--budgets", "10K",
               "--search-time", "1"]  # fmt: skip
    assert CliRunner().invoke(app, [*command, "--task", "domain=b"]).exit_code == 0
    assert jobs[0].only == (("domain", "b"),)
    result = CliRunner().invoke(app, [*command, "--task", "domain=c"])
    assert result.exit_code == 1 and "there are a, b" in result.output


def test_a_cluster(files, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="pip install 'edgemoe[dask]'")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with distributed.LocalCluster(dashboard_address=None, protocol="tcp", **options) as cluster:
        result = CliRunner().invoke(app, [
            "sweep", str(files[0]), "--calibration", str(files[1]), "--budgets", "2%,10K",
            "--search-time", "1", "--dask", cluster.scheduler_address,
        ])  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert all(int(rows[b].split()[1].replace(",", "")) < 9000 for b in ("2%", "10K"))


def test_a_cluster_that_is_not_there(files):
    from edgemoe.compression.sweep import sweep

    with pytest.raises(ToolError, match="--dask"):
        sweep([], processes=1, dask="tcp://127.0.0.1:9")
