"""What a compression decided, with its proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.compression.calibration import Calibration
from edgemoe.compression.controls import Control
from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.option import Option
from edgemoe.compression.proof import proven
from edgemoe.compression.report import report_of
from edgemoe.compression.retreat import retreat
from edgemoe.compression.search import Measured, Search
from edgemoe.compression.task import Task
from edgemoe.graph_pass import Note
from edgemoe.measured_loss import described
from edgemoe.precision import Precision, Unit

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]


@dataclass
class Compressed:
    """Decisions with their proof."""

    task: Task
    goal: Goal
    option: Option
    chosen: Measured
    verdict: Verdict  # of the proof part, by the trial; the artifact is measured once more
    proof: Judge
    calibration: Calibration
    original_units: Sequence[Unit]
    original_constants: int  # bytes
    controls: list[Control] = field(default_factory=list)
    tried: list[dict[str, Any]] = field(default_factory=list)  # pruning ratios
    seconds: float = 0.0

    @property
    def search(self) -> Search:
        """The search that found the formats."""
        return self.option.search

    @property
    def precision(self) -> Precision:
        """The formats as lowering reads them."""
        formats = {
            name: given
            for unit, given in zip(self.search.units, self.chosen.candidate.formats, strict=True)
            for name in unit.names
        }
        rounders = self.search.weights.rounders
        return Precision(formats=formats, rounders=rounders, pins=self.option.pins)

    @property
    def changes_graph(self) -> bool:
        """Tell whether the graph is another one than the model that came in."""
        return self.option.decision.changes_graph

    @property
    def is_best(self) -> bool:
        """Tell whether there is nothing that loses less."""
        return self.chosen.candidate == self.search.best

    def foreseen(self) -> dict[str, Any]:
        """Accuracy figures of the proof part, for where the artifact itself does not run."""
        what = "samples that the search did not see, in onnxruntime with the kernels' rounding"
        return described(self.verdict, what, self.goal)

    def change(self, graph: ir.Model) -> list[Note]:
        """Apply the decisions to a recognised graph of any token bucket."""
        return self.option.decision.apply(graph)[0]

    def retreat(self) -> Compressed:
        """Decisions that lose less: the artifact lost more than these promised."""
        refused = retreat(self.search, self.goal, self.chosen)
        chosen, verdict = proven(self.search, self.goal, refused, self.proof, self.search.show)
        return replace(self, chosen=chosen, verdict=verdict)

    def nearest(self, nbytes: int) -> str:
        """The message for a budget of bytes that the promised loss does not allow."""
        loss, limit = self.goal.max_loss, self.goal.max_bytes
        assert limit is not None
        text = (
            f"a loss of at most {loss:.3%} needs {nbytes:,} B of weights, --max-bytes allows "
            f"{limit:,} B (over by {nbytes - limit:,} B)"
        )
        search = self.search
        fitting = search.within_bytes(limit) or search.smallest()
        smaller = [m for m in search.archive.values() if m.nbytes <= limit]
        best = min([*smaller, search.measure(fitting)], key=lambda m: m.verdict.counted)
        text += f"\n  nearest: {best.nbytes:,} B lose {best.verdict.counted:.3%}"
        return text + f"\n  try: --max-bytes {nbytes}, a larger --max-loss, or --prune auto"

    def report(self) -> dict[str, Any]:
        """Everything that was decided and measured, as JSON holds it."""
        return report_of(self)
