"""Bodies that may be forms: ``application/x-www-form-urlencoded`` is read into the same type as JSON."""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from service.api.body import Decode, JsonRequest, fields_of
from service.api.body_errors import explain
from service.errors import MalformedRequestError

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 10_000  # of a form, a repeated one counted as often as it comes
TEXT_FIELD = "q"
_STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class FormRequest(JsonRequest):
    """Request whose body is JSON or a form."""

    def decoder(self) -> Decode:
        return decode_form if self.content_type[0] == FORM else super().decoder()


def decode_form(body: bytes, form: Any) -> Any:
    """Decode a form in UTF-8 into a type. A field that comes several times is a list; one without a value is absent,
    unless it is the text. Raises MalformedRequestError or InvalidRequestError."""
    found: dict[str, list[str]] = {}
    if body.count(b"&") >= MAX_FIELDS:
        raise MalformedRequestError(f"the body has more than {MAX_FIELDS} fields")
    try:
        for part in filter(None, body.split(b"&")):
            name, _, value = part.partition(b"=")
            found.setdefault(_unquoted(name).decode(), []).append(_unquoted(value).decode())
    except UnicodeDecodeError as error:
        raise MalformedRequestError("the body is not a form in UTF-8") from error
    fields = {
        name: values if len(values) > 1 else values[0] for name, values in found.items() if _is_given(name, values)
    }
    try:
        return msgspec.convert(fields, form, strict=False)
    except msgspec.ValidationError as error:
        raise explain(msgspec.json.encode(fields), error, fields_of(form)) from error


def _is_given(name: str, values: Sequence[str]) -> bool:
    """Tell whether a field counts as sent: an empty one does not, unless it is the text."""
    return name == TEXT_FIELD or any(values)


def _unquoted(value: bytes) -> bytes:
    """Decode the escapes of a form. binascii does it without a list of all pieces, which takes urllib a hundred times
    the memory of the value; it reads quoted-printable, whose escapes begin with another sign. A percent sign that
    begins no escape stands for itself. Raises MalformedRequestError if there are too many of these."""
    value = value.replace(b"+", b" ")
    if b"%" not in value:
        return value
    if next(islice(_STRAY.finditer(value), MAX_FIELDS, None), None) is not None:
        raise MalformedRequestError(f"the body has more than {MAX_FIELDS} percent signs that begin no escape")
    escaped = _STRAY.sub(b"%25", value).replace(b"=", b"%3D")
    return binascii.a2b_qp(escaped.replace(b"%", b"="))
