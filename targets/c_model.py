"""What the C hosts of CPUs and of OpenCL are both made of: files of `runtime/c`, and C text."""

from __future__ import annotations

import re
from importlib import resources

from edgemoe.plan import Plan, TensorInfo

MAX_RANK = 8
DISPATCH = {"static": "EM_DISPATCH_STATIC", "pad": "EM_DISPATCH_PAD", "split": "EM_DISPATCH_SPLIT"}
NO_TENSOR = '{"", 0, 0, {0}, -1, -1}'
"""Stands in a table of no inputs or outputs: C has no empty arrays."""

_DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "int32",
    "uint32", "int64", "uint64", "bool",
)  # fmt: skip
_SHARED = re.compile(r'^#include "(?:\.\./)?(interface\.h|shared\.h|pool\.h)"$', re.MULTILINE)


def c_source(name: str) -> str:
    """Return a file of `runtime/c`, such as "run.c" or "opencl/run.c".

    What the headers of both hosts share stands in the place of its #include, so that a host has
    one public header.
    """
    text = resources.files("edgemoe.runtime.c").joinpath(name).read_text("utf-8")
    return _SHARED.sub(lambda match: c_source(match[1]).rstrip(), text)


def comment(text: str) -> str:
    """Make text safe inside a C comment."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("\n", " ")


def string(text: str) -> str:
    """Return a C string literal."""
    safe = (f"\\{ord(c):03o}" if not " " <= c <= "~" or c in '"\\?' else c for c in text)
    return '"' + "".join(safe) + '"'


def dtype_number(dtype: str) -> int:
    """The number of an `em_dtype`."""
    return _DTYPES.index(dtype)


def tensor_tables(plan: Plan) -> tuple[list[str], list[str]]:
    """The initialisers of `em_tensor_info` for all inputs and all outputs.

    Raises:
        ValueError: a rank is above `MAX_RANK`.
    """
    outputs = [info.name for info in plan.outputs]
    feeds = {x.state_output: n for n, x in enumerate(plan.inputs) if x.state_output is not None}
    return (
        [_tensor(x, outputs.index(x.state_output) if x.state_output else -1) for x in plan.inputs],
        [_tensor(x, feeds.get(x.name, -1)) for x in plan.outputs],
    )


def _tensor(info: TensorInfo, state: int) -> str:
    if len(info.shape) > MAX_RANK:
        raise ValueError(f"'{info.name}' has rank {len(info.shape)}, at most {MAX_RANK}")
    shape = ", ".join(str(extent) for extent in info.shape) or "0"
    axis = -1 if info.token_axis is None else info.token_axis
    return (
        f"{{{string(info.name)}, {dtype_number(info.dtype)}, {len(info.shape)}, {{{shape}}}, "
        f"{axis}, {state}}}"
    )
