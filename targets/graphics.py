"""What a target file says about a GPU: table `[gpu]`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Language = Literal["opencl", "wgsl"]

Activations = Literal["float32", "float16"]

ALIGNMENTS: dict[Language, int] = {"opencl": 512, "wgsl": 256}
"""Bytes between places where a range of a buffer may begin.

The largest that drivers ask for: 512 of NVIDIA's OpenCL; 256 is the default limit of WebGPU.
"""


@dataclass(frozen=True)
class Graphics:
    """The limits and features that kernels are generated for.

    `threads` is the largest work-group, `local_bytes` the local (workgroup) memory of one,
    `storage_buffers` how many buffers a kernel may bind, `binding_bytes` the largest range of one.
    With `fp16` the device has native halves (`shader-f16`, `cl_khr_fp16`). `activations` is the
    dtype of tensors between steps, "float32", or "float16" where there is `fp16`. With
    `integer_dot` products of many rows with integer weights round their rows to int8 and multiply
    four codes at a time (WGSL's language feature packed_4x8_integer_dot_product,
    `cl_khr_integer_dot_product`). `subgroups` neighbouring threads, a power of two, always belong
    to one subgroup (WebGPU's feature); 0:
    nothing is known. `columns` is how many neighbouring columns the threads of a product read at
    once: the width of a memory transaction in words; `depth` how many inputs of a tile lie in local
    memory at a time: fewer make shorter code, which browsers compile while a page waits.
    `sums` of a thread stay in registers in a tile of many rows, 16 per matrix at least.
    `busy_groups` work-groups occupy the whole device: kernels that would have fewer share a sum
    among several, where that pays.
    `block_bytes` is how much local memory a fused mixer block may take, all of it unless the file
    says less (compilers of browsers need about a millisecond per word of it).
    """

    language: Language
    threads: int
    local_bytes: int
    storage_buffers: int
    binding_bytes: int
    fp16: bool = False
    subgroups: int = 0
    columns: int = 32
    depth: int = 32
    busy_groups: int = 16
    activations: Activations = "float32"
    integer_dot: bool = False
    block_bytes: int = 0
    sums: int = 16

    @property
    def alignment(self) -> int:
        """Bytes between places where a range of a buffer may begin."""
        return ALIGNMENTS[self.language]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def graphics(data: dict[str, Any], language: Language) -> Graphics:
    """Read the table `[gpu]`; raises KeyError, TypeError or ValueError where it is not valid."""
    found = Graphics(
        language, int(data["threads"]), int(data["local_bytes"]), int(data["storage_buffers"]),
        int(data["binding_bytes"]), bool(data.get("fp16", False)), int(data.get("subgroups", 0)),
        int(data.get("columns", 32)), int(data.get("depth", 32)), int(data.get("busy_groups", 16)),
        data.get("activations", "float16" if data.get("fp16", False) else "float32"),
        bool(data.get("integer_dot", False)),
        int(data.get("block_bytes", data["local_bytes"])), int(data.get("sums", 16)),
    )  # fmt: skip
    for name, least in (("threads", 16), ("local_bytes", 4096), ("storage_buffers", 4),
                        ("binding_bytes", 1 << 20), ("columns", 1), ("depth", 8),
                        ("busy_groups", 1), ("sums", 16)):  # fmt: skip
        if getattr(found, name) < least:
            raise ValueError(f"{name} is {getattr(found, name)}, kernels need {least} at least")
    if found.activations not in ("float32", *(("float16",) if found.fp16 else ())):
        raise ValueError(f"activations is {found.activations!r}; float16 needs fp16 = true")
    if not 0 <= found.block_bytes <= found.local_bytes:
        raise ValueError(f"block_bytes is {found.block_bytes}, local_bytes {found.local_bytes}")
    if found.subgroups and language != "wgsl":
        raise ValueError("subgroups are used in WebGPU only")
    for name in ("threads", "columns", "depth", "subgroups", "sums"):
        if getattr(found, name) & (getattr(found, name) - 1):
            raise ValueError(f"{name} is {getattr(found, name)}, which is no power of two")
    return found
