"""Whether the names in an ONNX file are text, before anything is built from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import Message

from qviz.errors import QvizError

_LONGEST = 40  # of a name in a message
_FREE_TEXT = ("doc_string", "value")  # comments and metadata, which may have lines
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_names(path: Path, proto: Any) -> None:
    """Raise QvizError when a text is not UTF-8 or a name holds control characters.

    protobuf hands text that is not UTF-8 over as bytes, which no reader of a graph expects; a line
    break or a terminal's command in a name would be printed with it.
    """
    for field, text in _texts(proto):
        if isinstance(text, bytes):
            raise QvizError(
                path.name,
                f"its {field} {text[:_LONGEST]!r} is not UTF-8 text",
                "Export the model again; the file is damaged",
            )
        if field not in _FREE_TEXT and _CONTROL.search(text):
            raise QvizError(
                path.name,
                f"its {field} {text[:_LONGEST]!r} holds control characters",
                "Export the model again with plain names",
            )


def _texts(message: Any) -> Iterator[tuple[str, str | bytes]]:
    """Every text below a message with its field; the values of tensors are not touched."""
    pending = [message]
    while pending:
        at = pending.pop()
        if isinstance(at, onnx.TensorProto):
            yield "name", at.name
            pending.extend(at.external_data)
            continue
        for field, value in at.ListFields():
            if field.type == field.TYPE_MESSAGE:
                pending.extend([value] if isinstance(value, Message) else value)
            elif field.type == field.TYPE_STRING:
                texts = [value] if isinstance(value, str | bytes) else value
                yield from ((field.name, text) for text in texts)
