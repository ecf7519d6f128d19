"""Bodies that may be forms: ``application/x-www-form-urlencoded`` is read into the same type as JSON."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

import msgspec

from service.api.body import LARGE, JsonRequest, check_not_compressed, fields_of
from service.api.body_errors import field_error
from service.errors import InvalidRequestError, MalformedRequestError

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 10_000  # of a form, a repeated one counted as often as it comes


class FormRequest(JsonRequest):
    """Request whose body is JSON or a form."""

    async def json(self) -> Any:
        """Decode the body. A field of a form that comes several times is a list, and one without a value is absent,
        except for the text. Raises what JsonRequest raises."""
        if self.content_type[0] != FORM:
            return await super().json()
        check_not_compressed(self)
        body, field, rules = await self.body(), self.route_handler.parsed_data_field, self.rules
        form = field.annotation if field else Any
        if len(body) <= LARGE:
            return decode_form(body, form)
        return await asyncio.get_running_loop().run_in_executor(rules.executor, decode_form, body, form)


def decode_form(body: bytes, form: Any) -> Any:
    """Decode a form in UTF-8 into a type. Raises MalformedRequestError or InvalidRequestError."""
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise MalformedRequestError(f"the body is not a form in UTF-8 of at most {MAX_FIELDS} fields") from error
    fields = {name: values if len(values) > 1 else values[0] for name, values in found.items() if any(values)}
    if "q" in found:
        fields.setdefault("q", found["q"] if len(found["q"]) > 1 else found["q"][0])
    try:
        return msgspec.convert(fields, form, strict=False)
    except msgspec.ValidationError as error:
        problem = field_error(str(error), fields_of(form))
        raise InvalidRequestError(f"{problem.path}: {problem.message}", errors=[problem]) from error
