"""Seconds of `edgemoe explain` on graphs of growing size: layers of experts in unrolled loops.

Run: python benchmarks/explain_speed.py [--layers 4 12 17 24] [--experts 16]
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from pathlib import Path
from types import ModuleType


def _loops() -> ModuleType:
    path = Path(__file__).parents[1] / "tests" / "passes" / "unrolled_loops.py"
    spec = importlib.util.spec_from_file_location("unrolled_loops", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, nargs="*", default=[4, 12, 17, 24])
    parser.add_argument("--experts", type=int, default=16)
    options = parser.parse_args()
    import edgemoe.targets.lowering  # noqa: F401  (TVM is loaded once, and not measured)
    from edgemoe.compiler import explain

    loops = _loops()
    print(f"{'form':16} {'layers':>6} {'nodes':>6} {'seconds':>8} {'CPU s':>8}  us of CPU per node")
    for form, mask in (("recognised", "Equal"), ("near miss", "GreaterOrEqual")):
        for layers in options.layers:
            model = loops.build(layers, options.experts, mask=mask)
            nodes = model.graph.num_nodes()
            wall, cpu = time.perf_counter(), time.process_time()
            explain(model, tokens=[8])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(
                f"{form:16} {layers:6} {nodes:6} {wall:8.2f} {cpu:8.2f}  {cpu / nodes * 1e6:8.0f}"
            )


if __name__ == "__main__":
    main()
