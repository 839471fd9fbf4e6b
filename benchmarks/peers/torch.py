"""torch itself: eager, and inductor's C++ for the graphs that it takes whole.

Inductor compiles in the process that is measured, so its memory includes the compiler.
"""

from __future__ import annotations

from benchmarks.cases import Case, forms_of
from benchmarks.contestant import Array, Call, Contestant, Kit

NEEDS = "torch"
REQUIREMENTS = ("torch==2.13.0", "transformers==5.23.0")


def contestants(case: Case) -> list[Contestant]:
    forms = forms_of(case)
    compiled = [form for form in forms if form in ("gather", "model")]
    found = [Contestant("torch", f"eager {forms[0]} {f}", f) for f in ("f32", "bf16")]
    return found + [Contestant("torch", f"inductor {form} f32", "f32") for form in compiled]


def prepare(contestant: Contestant, kit: Kit) -> None:
    """Nothing lasts from one process to the next."""


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    import torch
    from torch.utils._pytree import tree_map_only

    from benchmarks.exports import module_of

    torch.set_num_threads(threads)
    way, form, _ = contestant.variant.split()
    module, arguments, _ = module_of(kit.case, form)
    if contestant.format == "bf16":
        module = module.bfloat16()
        arguments = tree_map_only(
            torch.Tensor, lambda a: a.bfloat16() if a.is_floating_point() else a, arguments
        )
    if way == "inductor":
        torch._inductor.config.freezing = True
        module.compile(fullgraph=True)

    @torch.inference_mode()
    def call() -> Array:
        result = module(*arguments)
        first: torch.Tensor = result[0] if isinstance(result, tuple) else result
        y: Array = first.float().numpy()
        return y

    return call
