"""C tables of the CPU's side of a hybrid artifact: its kernels' calls, buffers and transfers.

They belong to `runtime/c/opencl/joint.c`; the device's side has the tables of `gpu/host_c`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from edgemoe.plan import Buffer, Plan, Pointer, Step, Variant
from edgemoe.targets.c_model import comment, dtype_number, string
from edgemoe.targets.host_c import is_serial

_WHERE = {"host_input": 0, "host_output": 1, "host": 2, "host_weights": 3}
_KINDS = {"upload": 2, "download": 3}

MOST_ARGUMENTS = 64
"""Pointers of a kernel of the CPU."""


def device_plan(plan: Plan) -> Plan:
    """The device's side of a hybrid plan, with its buffers numbered anew."""
    on_device = {kernel.name for kernel in plan.kernels if kernel.threads}
    variants = []
    for variant in plan.variants:
        numbers = numbers_of(variant, on_host=False)
        steps = tuple(
            replace(s, arguments=tuple(
                replace(a, buffer=numbers[a.buffer]) for a in s.arguments if isinstance(a, Pointer)
            ))
            for s in variant.steps if s.kernel in on_device
        )  # fmt: skip
        buffers = tuple(variant.buffers[number] for number in numbers)
        variants.append(replace(variant, steps=steps, buffers=buffers))
    kernels = tuple(kernel for kernel in plan.kernels if kernel.threads)
    return replace(plan, kernels=kernels, variants=tuple(variants))


def numbers_of(variant: Variant, *, on_host: bool) -> dict[int, int]:
    """New numbers of the buffers of one side, by their numbers in the plan."""
    kept = [n for n, b in enumerate(variant.buffers) if b.where.startswith("host") == on_host]
    return {number: new for new, number in enumerate(kept)}


def joint_tables(plan: Plan, isa: str) -> Iterator[str]:
    """Definitions that end in `em_cl_the_joint`.

    Args:
        plan: the whole plan, with its facts `host_symbols` and `host_weights_bytes`.
        isa: instruction set of the CPU's kernels.
    """
    symbols: Mapping[str, str] = plan.facts["host_symbols"]
    on_device = {kernel.name for kernel in plan.kernels if kernel.threads}
    calls: dict[str, str] = {}  # C text of a call's body, by its name
    prototypes: set[str] = set()
    tables: list[str] = []
    for number, variant in enumerate(plan.variants):
        tables += _variant(number, variant, on_device, symbols, calls, prototypes)
    yield "/* ---- kernels of the CPU, and their calls ---- */\n"
    yield from sorted(prototypes)
    yield ""
    for body, name in calls.items():
        yield (
            f"static void {name}(unsigned char *const *at, int32_t begin, int32_t end)\n"
            f"{{\n{body}}}\n"
        )
    yield from tables
    for where, infos in (("input", plan.inputs), ("output", plan.outputs)):
        sizes = [str(_largest(plan, f"host_{where}", n)) for n in range(len(infos))]
        yield f"static const size_t em_joint_{where}_bytes[] = {{{', '.join(sizes) or '0'}}};"
    names = [
        f"{{em_joint_buffers_{n}, em_joint_steps_{n}, em_joint_arguments_{n}, "
        f"{len(numbers_of(v, on_host=True))}, {len(v.steps)}}}"
        for n, v in enumerate(plan.variants)
    ]
    yield f"static const em_cl_joint_variant em_joint_variants[] = {{{', '.join(names)}}};"
    arena = max((v.host_bytes for v in plan.variants), default=0)
    yield (
        f"static const em_cl_joint em_cl_the_joint = {{em_joint_variants, {string(isa)}, {arena}u, "
        f"{int(plan.facts['host_weights_bytes'])}u, em_joint_input_bytes, "
        "em_joint_output_bytes};\n"
    )


def _largest(plan: Plan, where: str, index: int) -> int:
    buffers = [b for v in plan.variants for b in v.buffers]
    return max((b.nbytes for b in buffers if (b.where, b.index) == (where, index)), default=0)


def _variant(
    number: int, variant: Variant, on_device: set[str], symbols: Mapping[str, str],
    calls: dict[str, str], prototypes: set[str],
) -> list[str]:  # fmt: skip
    host, device = (numbers_of(variant, on_host=flag) for flag in (True, False))
    buffers = [_buffer(variant.buffers[n]) for n in host]
    steps, arguments, launched = [], list[str](), 0
    for step in variant.steps:
        label = comment(step.label or step.kernel)
        if step.kernel in on_device:
            text = f"{{0, {launched}, 0, 0, -1, 0, 0, 0, NULL}}"
            launched += 1
        elif step.kernel in _KINDS:
            source, target = (a.buffer for a in step.arguments if isinstance(a, Pointer))
            mine, there = (source, target) if step.kernel == "upload" else (target, source)
            dtype = dtype_number(variant.buffers[there].dtype)
            crossing = f"{_KINDS[step.kernel]}, {host[mine]}, {device[there]}, 0, -1, {dtype}"
            text = f"{{{crossing}, 0, 0, NULL}}"
        else:
            pointers = [a for a in step.arguments if isinstance(a, Pointer)]
            if len(pointers) > MOST_ARGUMENTS:
                raise ValueError(f"step '{step.label}' has {len(pointers)} pointers")
            follows = -1 if step.tasks_from is None else host[step.tasks_from]
            name = _call(step, symbols[step.kernel], calls, prototypes)
            counts = f"{len(arguments)}, {len(pointers)}, {step.tasks}, {follows}"
            text = f"{{1, {counts}, 0, {is_serial(step):d}, {step.even:d}, {name}}}"
            arguments += [f"{{{host[p.buffer]}, {p.offset}u}}" for p in pointers]
        steps.append(f"{text}, /* {label} */")
    none = "{0, 0, 0, 0, -1, 0, 0, 0, NULL},"
    return [
        *_array("em_cl_host_buffer", f"em_joint_buffers_{number}", buffers, "{2, 0, 0, 0, 0},"),
        *_array("em_cl_joint_step", f"em_joint_steps_{number}", steps, none),
        *_array("em_cl_joint_argument", f"em_joint_arguments_{number}",
                [f"{text}," for text in arguments], "{0, 0},"),
    ]  # fmt: skip


def _buffer(buffer: Buffer) -> str:
    count = 1
    for extent in buffer.shape:
        count *= extent
    return (
        f"{{{_WHERE[buffer.where]}, {max(0, buffer.index)}, {max(0, buffer.offset)}u, "
        f"{dtype_number(buffer.dtype)}, {count}u}},"
    )


def _call(step: Step, symbol: str, calls: dict[str, str], prototypes: set[str]) -> str:
    """The name of a function that calls a kernel with a step's integers; equal ones are shared."""
    types, values, pointers = [], [], 0
    for argument in step.arguments:
        if isinstance(argument, Pointer):
            types.append("void *")
            values.append(f"at[{pointers}]")
            pointers += 1
        else:
            types.append("int32_t")
            values.append(str(argument))
    prototypes.add(f"extern void {symbol}({', '.join([*types, 'int32_t', 'int32_t'])});")
    unused = "" if pointers else "    (void)at;\n"
    body = f"{unused}    {symbol}({', '.join([*values, 'begin', 'end'])});\n"
    return calls.setdefault(body, f"em_joint_call_{len(calls)}")


def _array(kind: str, name: str, items: list[str], none: str) -> Iterator[str]:
    """A constant table; C has no empty ones, so `none` stands in."""
    yield f"static const {kind} {name}[] = {{"
    yield from (f"    {item}" for item in items or [none])
    yield "};\n"
