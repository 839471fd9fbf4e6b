"""Token buckets: which dimension is the token axis, and one static copy of the model per count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.errors import InputError, ModelError, OptionError
from edgemoe.plan import TensorInfo
from edgemoe.reference import made_up_inputs
from edgemoe.runtime.array_files import read_arrays
from edgemoe.specialise import bind_shapes

Array = NDArray[Any]

DEFAULT_COUNTS = (1, 8, 64)
"""Token counts that a model with a token axis is compiled for unless others are asked for."""


@dataclass(frozen=True)
class Buckets:
    """The model, the extents that are the same in all variants, and the token counts."""

    model: ir.Model
    bound: dict[str, int]
    shapes: dict[str, tuple[int, ...]]
    dimension: str | None
    counts: tuple[int | None, ...]

    def bind(self, count: int | None) -> ir.Model:
        """A static copy for `count` tokens; the weights are shared."""
        if self.shapes:
            return bind_shapes(self.model, self.shapes)
        extents = dict(self.bound)
        if self.dimension is not None and count is not None:
            extents[self.dimension] = count
        return bind_shapes(self.model, extents)

    def infos(self, states: Mapping[str, str]) -> tuple[tuple[TensorInfo, ...], ...]:
        """What the compiled model takes and gives, with -1 on the token axis."""
        one = self.bind(self.counts[0])
        if self.dimension is None or self.counts[0] is None:
            two, delta = one, 0
        else:
            two, delta = self.bind(self.counts[0] + 1), 1
        return tuple(
            tuple(
                _info(a, b, delta, self.counts[0], states)
                for a, b in zip(getattr(one.graph, side), getattr(two.graph, side), strict=True)
            )
            for side in ("inputs", "outputs")
        )


def plan_buckets(
    model: ir.Model,
    tokens: Sequence[int] | None,
    shapes: Mapping[str, int | Sequence[int]],
    usual: Sequence[int] | None = None,
) -> Buckets:
    """Find the token axis; `usual` are the token counts where none are given.

    Raises:
        OptionError: tokens or shapes do not fit the model, or a dimension stays open.
    """
    inputs = {str(v.name): v for v in model.graph.inputs if v.name not in model.graph.initializers}
    bound = {name: int(n) for name, n in shapes.items() if isinstance(n, int)}
    whole = {name: tuple(n) for name, n in shapes.items() if not isinstance(n, int)}
    open_dimensions = _dimensions(inputs)
    for name in bound:
        if name not in open_dimensions:
            known = ", ".join(open_dimensions) or "none, all shapes are static"
            raise OptionError(
                f"--shape {name}: no input has a dimension of that name; dynamic ones: {known}"
            )
    for name, shape in whole.items():
        if name not in inputs:
            raise OptionError(f"--shape {name}: no such input; inputs: {', '.join(inputs)}")
        bound |= _bound_by(inputs[name], shape)
    left = [name for name in open_dimensions if name not in bound]
    nameless = [name for name, v in inputs.items() if _nameless(v) and name not in whole]
    if nameless:
        raise OptionError(
            f"input {nameless[0]!r} is {inputs[nameless[0]].shape}: a dimension has no name\n"
            f"  next: give the whole shape, --shape {nameless[0]}=1x8"
        )
    if len(left) > 1:
        raise OptionError(
            f"{len(left)} dimensions are dynamic ({', '.join(left)}), one may stay the token axis\n"
            f"  next: bind the others, for example --shape {left[0]}=1"
        )
    if not left:
        if tokens:
            raise OptionError(
                "--tokens has nothing to bind: every shape of the model is static\n"
                "  next: leave --tokens out, or export the model with a dynamic token axis"
            )
        shapes_of_all = whole if any(_nameless(inputs[n]) for n in whole) else {}
        return Buckets(model, bound, shapes_of_all, None, (None,))
    counts = tuple(sorted(set(tokens or usual or DEFAULT_COUNTS)))
    if counts[0] < 1:
        raise OptionError(f"--tokens {counts[0]}: token counts start at 1")
    for name, value in inputs.items():
        axes = [d for d in value.shape or () if _name_of(d) == left[0]]
        if len(axes) > 1:
            raise OptionError(
                f"input {name!r} has dimension {left[0]!r} twice: it cannot be the token axis\n"
                f"  next: bind it, --shape {left[0]}=N"
            )
    return Buckets(model, bound, {}, left[0], counts)


def _dimensions(inputs: Mapping[str, ir.Value]) -> list[str]:
    names = [_name_of(d) for value in inputs.values() for d in value.shape or ()]
    return list(dict.fromkeys(name for name in names if name is not None))


def _name_of(extent: object) -> str | None:
    return extent.value if isinstance(extent, ir.SymbolicDim) else None


def _nameless(value: ir.Value) -> bool:
    if value.shape is None:
        return True
    return any(isinstance(d, ir.SymbolicDim) and d.value is None for d in value.shape)


def _bound_by(value: ir.Value, shape: Sequence[int]) -> dict[str, int]:
    if value.shape is not None and len(value.shape) != len(shape):
        raise OptionError(
            f"--shape {value.name}={'x'.join(map(str, shape))}: the input has shape {value.shape}"
        )
    found = {}
    for extent, size in zip(value.shape or (), shape, strict=False):
        name = _name_of(extent)
        if name is not None:
            found[name] = size
        elif isinstance(extent, int) and extent != size:
            raise OptionError(
                f"--shape {value.name}={'x'.join(map(str, shape))}: the input has shape "
                f"{value.shape}"
            )
    return found


def _info(
    value: ir.Value, other: ir.Value, delta: int, count: int | None, states: Mapping[str, str]
) -> TensorInfo:
    shape, longer = graph_facts.shape_of(value), graph_facts.shape_of(other)
    if shape is None or longer is None or value.dtype is None:
        raise ModelError(
            f"tensor {value.name!r} has shape {value.shape}, which depends on data\n"
            "  next: only static shapes and one token axis can be compiled"
        )
    axes = [i for i, (a, b) in enumerate(zip(shape, longer, strict=True)) if a != b]
    if len(axes) > 1 or any(longer[i] - shape[i] != delta or shape[i] != count for i in axes):
        raise OptionError(
            f"tensor {value.name!r} has shape {list(shape)} for {count} tokens and "
            f"{list(longer)} for {(count or 0) + 1}: only one axis may be the token count itself\n"
            "  next: bind the dimension with --shape to compile for one size"
        )
    axis = axes[0] if axes else None
    extents = tuple(-1 if i == axis else d for i, d in enumerate(shape))
    return TensorInfo(
        str(value.name), str(value.dtype.numpy().name), extents, axis, states.get(str(value.name))
    )


def feed_for(
    graph: ir.Model,
    examples: Mapping[str, Array],
    states: Mapping[str, str],
    *,
    seed: int = 0,
) -> dict[str, Array]:
    """Inputs for a static graph: the examples where they fit, zeros for states, else random."""
    feed = made_up_inputs(graph, seed=seed)
    for name, made in feed.items():
        if name in states:
            feed[name] = np.zeros_like(made)
        elif seed == 0 and name in examples and examples[name].shape == made.shape:
            feed[name] = examples[name].astype(made.dtype)
    return feed


def read_samples(given: str | Path | Mapping[str, Array] | None) -> dict[str, Array]:
    """Calibration arrays by name, with a sample axis first; {} when there are none.

    Raises:
        InputError: the file cannot be read, or the arrays disagree on the number of samples.
    """
    if given is None:
        return {}
    if isinstance(given, str | Path):
        arrays = read_arrays(Path(given))
    else:
        arrays = {name: np.asarray(array) for name, array in given.items()}
    counts = {name: len(a) if a.ndim else 0 for name, a in arrays.items()}
    if not arrays or min(counts.values()) < 1 or len(set(counts.values())) > 1:
        raise InputError(
            f"calibration arrays need one sample axis first, of one length; they have {counts}"
        )
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"calibration array {name!r} holds NaN or infinity; remove the sample")
    return arrays


def samples_that_fit(
    samples: Mapping[str, Array], feed: Mapping[str, Array]
) -> list[dict[str, Array]]:
    """Calibration samples as feeds, those whose shapes fit this variant."""
    names = [name for name in samples if name in feed]
    if not names:
        return []
    fitting = []
    for number in range(len(samples[names[0]])):
        sample = {name: samples[name][number] for name in names}
        if all(
            sample[name].shape == feed[name].shape and sample[name].dtype == feed[name].dtype
            for name in names
        ):
            fitting.append({**feed, **sample})
    return fitting
