"""Open a .onnx file: everything that could be wrong with it is found before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]

from edgemoe import graph_facts
from edgemoe.errors import EdgemoeError, ModelError
from edgemoe.frontend_structure import check_structure
from edgemoe.frontend_values import check_inputs, check_weight

PROTO_LIMIT = (1 << 31) - 1  # protobuf reads no message of 2 GiB or more


def open_onnx(path: Path) -> ir.Model:
    """Read and check a model; weights in external files stay mapped from disk.

    Raises:
        ModelError: with the file, what is wrong in it, and what to do.
    """
    proto = read_proto(path)
    try:
        check_model(proto, path)
        model = ir.serde.deserialize_model(proto)
        _place_external(model, path)
        for graph in graph_facts.graphs_of(model):
            graph.sort()
    except EdgemoeError:
        raise
    except (Exception, RecursionError) as error:
        raise ModelError(
            f"{path} is not a valid ONNX model: {_one_line(error)}\n"
            "  next: write it again, or see what onnx.checker.check_model says of it"
        ) from error
    return model


def from_proto(proto: onnx.ModelProto) -> ir.Model:
    """Check a model that is in memory already, and convert it.

    Raises:
        ModelError: as for a file; weights must be inside.
    """
    try:
        check_model(proto, None)
        return ir.serde.deserialize_model(proto)
    except EdgemoeError:
        raise
    except (Exception, RecursionError) as error:
        raise ModelError(f"the model is not valid ONNX: {_one_line(error)}") from error


def read_proto(path: Path) -> onnx.ModelProto:
    """Parse the file.

    Raises:
        ModelError: it is missing, too large, empty, or something else than ONNX.
    """
    if not path.exists():
        raise ModelError(f"{path} does not exist; give a .onnx, a .pt2 or package.module:factory")
    if not path.is_file():
        raise ModelError(f"{path} is a folder; give the .onnx file in it")
    size = path.stat().st_size
    if size > PROTO_LIMIT:
        raise ModelError(
            f"{path} has {size:,} B; a .onnx file can hold {PROTO_LIMIT:,} B\n"
            "  next: keep the weights beside it, onnx.save(model, path, save_as_external_data=True)"
        )
    if size == 0:
        raise ModelError(f"{path} is empty (0 bytes); copy or export it again")
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (DecodeError, RecursionError, MemoryError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is no ONNX file, or was cut off: {_one_line(error)} ({size:,} bytes)\n"
            "  next: copy or export it again"
        ) from error
    if not proto.HasField("graph"):
        raise ModelError(f"{path} is no ONNX model: it holds no graph; export it again")
    return proto


def check_model(proto: onnx.ModelProto, path: Path | None) -> None:
    """Check everything that can be checked without running the model.

    Raises:
        ModelError: names the thing, the limit and the next step.
    """
    check_structure(proto)
    check_inputs(proto.graph)
    for tensor in tensors_of(proto):
        check_weight(tensor)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _check_external(tensor, path)


def tensors_of(message: Message) -> Iterator[onnx.TensorProto]:
    """Yield every tensor in a model: initialisers and attributes, in all graphs."""
    todo: list[Message] = [message]
    while todo:
        current = todo.pop()
        if isinstance(current, onnx.TensorProto):
            yield current
            continue
        for field, value in current.ListFields():
            if field.message_type is not None:
                todo.extend([value] if isinstance(value, Message) else value)


def _check_external(tensor: onnx.TensorProto, path: Path | None) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location, name = entries.get("location", ""), tensor.name or "(no name)"
    if path is None:
        raise ModelError(
            f"weight {name!r} lies in the file {location!r}, but the model was given in memory\n"
            "  next: give the path of the .onnx file, or load it with its external data"
        )
    folder = path.parent.resolve()
    where = f"{path}: weight {name!r}"
    parts = (*PurePosixPath(location).parts, *PureWindowsPath(location).parts)
    absolute = PurePosixPath(location).is_absolute() or bool(PureWindowsPath(location).anchor)
    if not location or "\0" in location:
        raise ModelError(f"{where} lies in an external file without a name; export it again")
    file = (folder / location).resolve()
    if absolute or ".." in parts or not file.is_relative_to(folder):
        raise ModelError(
            f"{where} lies in {location!r}, outside the folder of the model ({folder})\n"
            "  next: put the weights beside the .onnx file and name them by a plain file name"
        )
    if not file.is_file():
        raise ModelError(
            f"{where} lies in {location!r}, which is not in {folder}\n"
            "  next: copy that file beside the .onnx file"
        )
    offset = _number(entries, "offset", 0, where)
    dtype = ir.DataType(tensor.data_type)
    count = 1
    for extent in tensor.dims:
        count *= extent
    needed = -(-count * dtype.bitwidth // 8)
    length = _number(entries, "length", needed, where)
    if length != needed:
        raise ModelError(
            f"{where} {dtype}{list(tensor.dims)} needs {needed:,} B, its entry says {length:,} B\n"
            "  next: export the model again"
        )
    size = file.stat().st_size
    if offset + needed > size:
        raise ModelError(
            f"{where} needs bytes {offset:,} to {offset + needed:,} of {location!r}, which has "
            f"{size:,} B (cut off?)\n  next: copy that file again"
        )


def _number(entries: dict[str, str], key: str, default: int, where: str) -> int:
    text = entries.get(key, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ModelError(f"{where}: its external {key} is {text!r}, which is no size")
    return int(text)


def _place_external(model: ir.Model, path: Path) -> None:
    """Let external tensors find their file from the folder of the model."""
    from onnx_ir import external_data

    folder = str(path.parent.resolve())
    external_data.set_base_dir(model.graph, folder)
    for function in model.functions.values():
        external_data.set_base_dir(function.graph, folder)


def _one_line(error: BaseException) -> str:
    """Return the innermost reason: outer errors repeat it after a long preamble."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
