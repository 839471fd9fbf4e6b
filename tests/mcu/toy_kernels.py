"""Small kernels for hand-made programs: weights of experts, and functions of em_core.h."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles


@dataclass(frozen=True)
class Zero:
    """Sets `count` int32 to 0; one task."""

    parameters = ("int32_t*", "int32_t")

    def build(self, name, isa):
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (count, begin, end) = tiles.parameters({"out": "int32"}, ("count",))
            with T.serial(begin, end), T.serial(0, count) as i:
                T.buffer_store(buffers["out"], tirx.const(0, "int32"), [i])
        return tiles.Built(builder.get())


@dataclass(frozen=True)
class AddWeights:
    """out[i] += weights[i], once per task."""

    parameters = ("int8_t*", "int32_t*", "int32_t")

    def build(self, name, isa):
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (count, begin, end) = tiles.parameters(
                {"weights": "int8", "out": "int32"}, ("count",)
            )
            with T.serial(begin, end), T.serial(0, count) as i:
                value = buffers["out"][i] + tirx.Cast("int32", buffers["weights"][i])
                T.buffer_store(buffers["out"], value, [i])
        return tiles.Built(builder.get())


@dataclass(frozen=True)
class Apply:
    """out[i] = function(a[i], b[i], c[i]) with a function of em_core.h."""

    function: str
    arguments: int

    parameters = ("int32_t*", "int32_t*", "int32_t*", "int32_t*", "int32_t")

    def build(self, name, isa):
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = dict.fromkeys(("a", "b", "c", "out"), "int32")
            buffers, (count, begin, end) = tiles.parameters(names, ("count",))
            with T.serial(begin, end), T.serial(0, count) as i:
                given = [buffers[n][i] for n in ("a", "b", "c")[: self.arguments]]
                value = T.call_extern("int32", self.function, *given)
                T.buffer_store(buffers["out"], value, [i])
        return tiles.Built(builder.get())
