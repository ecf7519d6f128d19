"""External data of ONNX files: the other files that a graph reads its weights from, which onnxruntime opens by itself.

Why they are not given to it from memory is in docs/adr/0012-weights-are-opened-by-onnxruntime.md.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path

from service.bundle.folder import Bundle
from service.bundle.manifest import MANIFEST
from service.errors import BundleError

# Where tensors may be: of each message of onnx.proto the fields that lead to one, and the message that each holds.
INSIDE: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
TENSOR, EXTERNAL_DATA, KEY, VALUE = "TensorProto", 13, 1, 2


class Wire(IntEnum):
    """Wire types of protobuf fields; the old groups, 3 and 4, are not in onnx.proto."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


def check_external_data(bundle: Bundle) -> None:
    """Raise BundleError if a graph names a file that the manifest does not list, and that so nobody has checked."""
    graphs = {file for each in bundle.manifest.precisions.values() for file in (each.file, each.encoder) if file}
    for graph in sorted(graphs):
        for location in sorted(external_files(bundle.path(graph))):
            if location not in bundle.manifest.files:
                raise BundleError(f"{bundle.path(graph)}: reads {location!r}, which {MANIFEST} does not list")


def external_files(path: Path) -> set[str]:
    """Return the locations of external data as they are written. Raises BundleError if it is no ONNX file."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return set(_locations(content))
    except (ValueError, IndexError) as error:  # an empty file too
        raise BundleError(f"{path}: not an ONNX file") from error


def _locations(content: mmap.mmap) -> Iterator[str]:
    """Walk over all messages that may hold tensors, however deep; others are stepped over, weights too."""
    messages = [("ModelProto", 0, len(content))]
    while messages:
        message, start, end = messages.pop()
        for number, first, last in _fields(content, start, end):
            if message == TENSOR and number == EXTERNAL_DATA:
                yield from _location(content, first, last)
            elif number in INSIDE.get(message, {}):
                messages.append((INSIDE[message][number], first, last))


def _location(content: mmap.mmap, start: int, end: int) -> Iterator[str]:
    """Yield the values of an entry whose key is ``location``; all of them, should it hold several."""
    fields = [(number, content[first:last]) for number, first, last in _fields(content, start, end)]
    if (KEY, b"location") in fields:
        yield from (value.decode("utf-8", "backslashreplace") for number, value in fields if number == VALUE)


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field that has a length. Raises ValueError or IndexError if it is no
    message."""
    while start < end:
        tag, start = _varint(content, start)
        wire, size = Wire(tag & 7), 0
        if wire is Wire.VARINT:
            _, start = _varint(content, start)
        elif wire is Wire.BYTES:
            size, start = _varint(content, start)
        else:
            size = 8 if wire is Wire.FIXED64 else 4
        if start + size > end:
            raise ValueError("a field beyond its message")
        if wire is Wire.BYTES:
            yield tag >> 3, start, start + size
        start += size


def _varint(content: mmap.mmap, start: int) -> tuple[int, int]:
    """Read a number of up to ten bytes; returns it and where it ends."""
    value = 0
    for place in range(10):
        byte = content[start + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, start + place + 1
    raise ValueError("a number without end")
