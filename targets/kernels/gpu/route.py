"""`route` on a GPU: a thread per token, with no more room than the experts need.

Private arrays of a thread are slow memory, and large ones take drivers long to compile.
"""

from __future__ import annotations

from dataclasses import replace

from edgemoe.targets.gpu.task_kernel import TaskKernel
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.route import Route

STANDS_FOR = (Route,)


def stand_in(call: Call) -> TaskKernel:
    """The same router for its number of experts."""
    spec = replace(call.spec, known_experts=call.integers[0])
    return TaskKernel(spec, call.integers, call.tasks, call.threads(call.tasks))
