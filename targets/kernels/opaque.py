"""Values that LLVM must take as they are: an empty piece of assembly stands between it and them.

Without, LLVM adds the products of one step to each other before it adds them to the running sums;
that needs more registers than there are, and the sums live in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

_FUNCTION = """
define linkonce_odr <{count} x {element}> @{name}(<{count} x {element}> %value) alwaysinline {{
  %same = call <{count} x {element}> asm "", "={register},0"(<{count} x {element}> %value)
  ret <{count} x {element}> %same
}}
"""

_COUNT = """
define linkonce_odr i32 @edgemoe_opaque_count(i32 %value) alwaysinline {
  %same = call i32 asm "", "=r,0"(i32 %value)
  ret i32 %same
}
"""

_SHAPES = (("i32", 4), ("i32", 8), ("i32", 16), ("i16", 16), ("i16", 32))


def _name(element: str, count: int) -> str:
    return f"edgemoe_opaque_{element}x{count}"


@contextmanager
def scope(register: str) -> Iterator[None]:
    """Inside, `keep` and `count` may be used; `register` is the letter of vector registers."""
    texts = [
        _FUNCTION.format(name=_name(element, count), element=element, count=count,
                         register=register)
        for element, count in _SHAPES
    ]  # fmt: skip
    with T.attr("default", "pragma_import_llvm", "".join([*texts, _COUNT])):
        yield


def count(value: int) -> Expr:
    """`value`, which LLVM does not know: loops to it are not unrolled."""
    return T.call_extern("int32", "edgemoe_opaque_count", value)


def keep(value: Expr) -> Expr:
    """`value`, a vector of int32 or int16 in a register."""
    dtype = str(value.ty)
    element, count = dtype.split("x")
    return T.call_extern(dtype, _name(element.replace("int", "i"), int(count)), value)
