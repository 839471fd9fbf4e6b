"""Products of rows with weight panels, by weight format: the heart of `linear` and `experts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tvm import tirx
from tvm.ir import Expr

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import quantise_rows, round_rows
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.bfloat16_product import Bfloat16Product
from edgemoe.targets.kernels.dequantised_product import DequantisedProduct
from edgemoe.targets.kernels.float16_product import Float16Product
from edgemoe.targets.kernels.integer_product import IntegerProduct
from edgemoe.targets.kernels.integer_tile import Fetching
from edgemoe.targets.kernels.panels import LINE, PANEL
from edgemoe.targets.kernels.static_product import StaticProduct
from edgemoe.targets.kernels.tile import STORED as STORED
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat

C_TYPES = {"float32": "float*", "int32": "int32_t*", "uint16": "uint16_t*", "int8": "int8_t*"}
"""C types of pointers by element dtype."""


class Product(Protocol):
    """How rows of one kind meet panels of one format."""

    @property
    def pointers(self) -> dict[str, str]:
        """Names and dtypes of what a kernel needs: the rows, then `weights`."""

    def tallest(self, isa: Isa) -> int:
        """Rows of the tallest tile."""

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """Emit the products of `rows` (numbers) with panel number `panel`.

        Returns the address of float32 [rows, PANEL].
        """

    def panel_elements(self, depth: Expr) -> Expr:
        """Elements of `weights` that a panel takes."""


@dataclass(frozen=True)
class FloatProduct:
    """float32 rows times float32, bfloat16 or float16 weights.

    A panel that is half empty (of a router of few experts) is `narrow`: the first half alone is
    read, and twice as many rows fit into the registers of 16 lanes.
    """

    kind: str
    tuning: Tuning = DEFAULT
    narrow: bool = False

    @property
    def pointers(self) -> dict[str, str]:
        """The rows and the weights."""
        return {"a": "float32", "weights": STORED[self.kind]}

    def tallest(self, isa: Isa) -> int:
        """See `Product`."""
        fitting = 2 if self.narrow and isa.lanes == LINE else 1
        return self.tuning.rows or fitting * tiles.tallest_tile(isa)

    def emit(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
        panel: Expr, fetching: Fetching,
    ) -> Expr:  # fmt: skip
        """See `Product`."""
        starts = [tiles.local(row * depth) for row in rows]
        size = tiles.local(self.panel_elements(depth))
        start = tiles.local(panel * size)
        return tiles.accumulate(
            isa, buffers["a"], starts, depth, buffers["weights"], start, self.kind,
            fetching(start, size), self.tuning, LINE if self.narrow else PANEL,
        )  # fmt: skip

    def panel_elements(self, depth: Expr) -> Expr:
        """See `Product`."""
        return depth * PANEL


def product_of(given: WeightFormat, tuning: Tuning = DEFAULT, narrow: bool = False) -> Product:
    """The product of a weight format; `narrow` if panels have at most LINE columns of floats."""
    if given.half_activations:
        return Bfloat16Product(tuning) if given.pairs_inputs else Float16Product(tuning)
    if not given.is_integer:
        return FloatProduct(given.kind, tuning, narrow)
    if given.static_activations:
        return StaticProduct(given, tuning)
    kind = IntegerProduct if given.int8_activations else DequantisedProduct
    return kind(given, tuning)


def work_of(given: WeightFormat, macs: int, nbytes: int) -> int:
    """`Step.work` of a product: four int8 are multiplied where one float32 would be."""
    return (macs // 4 if given.int8_activations else macs) + nbytes


def c_types(given: WeightFormat) -> tuple[str, ...]:
    """C types of the pointers of a product."""
    return tuple(C_TYPES[dtype] for dtype in product_of(given).pointers.values())


def row_pointers(
    program: Program, source: Pointer, rows: int, depth: int, given: WeightFormat, **facts: object
) -> list[Pointer]:
    """Kernel arguments for the rows, which are quantised or rounded first where they are to be."""
    if given.half_activations:
        return round_rows.append(program, source, rows, depth, given, **facts)  # type: ignore[arg-type]
    if not given.int8_activations:
        return [source]
    return quantise_rows.append(program, source, rows, depth, given, **facts).pointers  # type: ignore[arg-type]
