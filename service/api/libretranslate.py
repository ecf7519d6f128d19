"""LibreTranslate's routes below /compat/libretranslate, so that its clients work with /translate's models unchanged.

A request becomes one to /translate and passes the same checks, queues and limits; what differs is how it is read (JSON
or a form, the key in the body) and how the answer is written. What LibreTranslate does beyond these routes, such as
detecting languages, is answered with 404.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, Meta, Struct, UnsetType

from service.api.access import KEY_IN_BODY, OPEN
from service.api.body import check_media_type
from service.api.context import RequestContext
from service.api.endpoint import TaskAnswer, WholeAnswer
from service.api.operations import read_route
from service.api.problems import LIBRETRANSLATE, libretranslate_problems
from service.api.schemas import TranslateRequest, TranslateResult
from service.api.task_routes import task_route
from service.api.translate import TranslateEndpoint
from service.api.validation import InputItem, check_at_most, explain, read_texts
from service.errors import InvalidRequestError, MalformedRequestError, UnknownPathError, UnsupportedMediaTypeError
from service.models.registry import ModelName, ModelRegistry
from service.predictors.translation import EXAMPLE_BEAM_SIZE, LanguagePair, match_language
from service.settings import MAX_BEAM_SIZE, Settings
from service.text.function_words import likeliest_language

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 10_000  # of a form, a repeated one counted as often as it comes
TEXT_FIELD = "q"
_STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")
AUTO = "auto"
NO_DETECTION = "languages are not detected here; name the source, or auto, in a translation"
LANGUAGE_NAMES: Mapping[str, str] = {  # of others the code is the name
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "pt": "Portuguese",
}


class LibreTranslateRequest(Struct, kw_only=True, frozen=True):
    """Text to translate, in LibreTranslate's words. Unknown fields are ignored, as there."""

    q: Annotated[str | list[str], Meta(description="One text or several", examples=["I love this book."])]
    source: Annotated[
        str, Meta(description="The language it is in; auto: the likeliest that the target has", examples=["en"])
    ]
    target: Annotated[str, Meta(description="The language it is wanted in", examples=["es"])]
    format: Annotated[Literal["text", "html"] | None, Meta(description="What the text is written in")] = None
    alternatives: Annotated[
        int, Meta(description="How many further translations to answer", ge=0, le=MAX_BEAM_SIZE - 1)
    ] = 0
    api_key: Annotated[str | None, Meta(description="An API key, where the headers have none")] = None


class DetectedLanguage(Struct, frozen=True):
    """Language that ``auto`` stands for; the confidence, in percent, is 0 where there was no choice."""

    language: str
    confidence: float = 0.0


class LibreTranslateAnswer(Struct, frozen=True, rename="camel"):
    """Translation of each text: lists where ``q`` is one."""

    translated_text: str | list[str]
    detected_language: DetectedLanguage | list[DetectedLanguage] | UnsetType = UNSET  # answered for ``auto``
    alternatives: Sequence[str | list[str]] | UnsetType = UNSET  # answered where they are asked for


class LibreTranslateLanguage(Struct, frozen=True):
    """A language and those that it is translated to."""

    code: str
    name: str
    targets: list[str]


class CompatibleRequest(TranslateRequest, kw_only=True, frozen=True):
    """Request to /translate that was made of one to LibreTranslate's route."""

    detected: DetectedLanguage | None = None  # with ``auto`` as the source


class LibreTranslateEndpoint(TranslateEndpoint):
    """Endpoint of translators that is asked and answers as LibreTranslate."""

    path = f"{LIBRETRANSLATE}translate"
    summary = "Text in another language, as LibreTranslate answers"
    description = "Translate as /translate does; JSON or a form, with the key in a header or in the body."
    request = LibreTranslateRequest
    response = LibreTranslateAnswer
    answer_description = "The translations"

    async def read_body(self, context: RequestContext) -> Any:
        """Read a body that is JSON or a form."""
        reader = self.services.reader
        if context.headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == FORM.encode():
            return await reader.decode(context, await reader.receive(context), self.request, decode_form)
        try:
            check_media_type(context.headers)
        except UnsupportedMediaTypeError as error:
            raise UnsupportedMediaTypeError(f"send application/json or {FORM} in UTF-8") from error
        return await super().read_body(context)

    async def answer(self, data: Any, context: RequestContext) -> TaskAnswer:
        """Answer a LibreTranslateRequest."""
        if (access := self.services.access) is not None:
            access.identify(context, data.api_key or None)
        return await super().answer(self.translation_of(data), context)

    def translation_of(self, data: LibreTranslateRequest) -> CompatibleRequest:
        """Return the request to /translate, which a text without a translation fails. Raises InvalidRequestError."""
        num_hypotheses = 1 + data.alternatives
        detected = self.detected(data) if data.source == AUTO else None
        return CompatibleRequest(
            text=data.q,
            source=detected.language if detected else data.source,
            target=data.target,
            format=data.format or "text",
            num_hypotheses=num_hypotheses,
            beam_size=max(EXAMPLE_BEAM_SIZE, num_hypotheses),
            strict=True,
            detected=detected,
        )

    def detected(self, data: LibreTranslateRequest) -> DetectedLanguage:
        """Return the source of the target's pairs; of several the likeliest by the function words of all texts, or the
        target itself if the texts are in it. Raises InvalidRequestError if nothing is translated to the target."""
        pairs = [pair for pair in pairs_of(self.services.registry) if match_language(data.target, {pair.target})]
        if not pairs:
            raise InvalidRequestError.at("target", f"nothing here translates to {data.target!r}")
        sources = list(dict.fromkeys(pair.source for pair in pairs))
        if len(sources) == 1:
            return DetectedLanguage(sources[0])
        text = data.q if isinstance(data.q, str) else "\n".join(data.q)
        language, share = likeliest_language(text, [*sources, pairs[0].target])
        return DetectedLanguage(language, round(100 * share, 1))

    def read(self, data: TranslateRequest, limits: Settings) -> list[InputItem]:
        check_at_most(data.num_hypotheses, data.beam_size, "alternatives", "the beam")
        return read_texts(data.text, limits, path="q")

    def write(self, data: TranslateRequest, model: ModelName, results: Sequence[TranslateResult]) -> WholeAnswer:
        assert isinstance(data, CompatibleRequest)  # noqa: S101  # no other reaches this endpoint
        detected = data.detected
        texts = [result.translation or "" for result in results]
        # A text of several sentences has no hypotheses.
        others = [[each.translation for each in (result.hypotheses or [])[1:]] for result in results]
        is_list = not isinstance(data.text, str)
        answer = msgspec.json.encode(
            LibreTranslateAnswer(
                translated_text=texts if is_list else texts[0],
                detected_language=UNSET if detected is None else [detected] * len(texts) if is_list else detected,
                alternatives=UNSET if data.num_hypotheses == 1 else others if is_list else others[0],
            )
        )
        return WholeAnswer(answer, "application/json")


def libretranslate_route(endpoint: LibreTranslateEndpoint) -> HTTPRouteHandler:
    """Make the route that translates."""
    return task_route(
        endpoint,
        problems=libretranslate_problems(),
        opt=KEY_IN_BODY,
        operation_id="CompatLibretranslateTranslateLibretranslate",
    )


def languages_route(registry: ModelRegistry) -> HTTPRouteHandler:
    """Make the route of the languages; as at LibreTranslate it needs no key."""

    @read_route(
        f"{LIBRETRANSLATE}languages",
        summary="Languages, as LibreTranslate answers",
        responses=libretranslate_problems(statuses=(404, 503)),
        opt=OPEN,
    )
    def languages() -> list[LibreTranslateLanguage]:
        """Every language of a translator, with the targets of those that are translated from."""
        pairs = pairs_of(registry)
        codes = sorted({code for pair in pairs for code in pair})
        return [
            LibreTranslateLanguage(
                code=code,
                name=LANGUAGE_NAMES.get(code, code),
                targets=sorted({pair.target for pair in pairs if pair.source == code}),
            )
            for code in codes
        ]

    return languages


@post(f"{LIBRETRANSLATE}detect", include_in_schema=False, sync_to_thread=False)
def detect() -> None:
    """Say that languages are not detected. Raises UnknownPathError."""
    raise UnknownPathError(NO_DETECTION)


def pairs_of(registry: ModelRegistry) -> list[LanguagePair]:
    """Return the pairs of all translators. Raises NotReadyError or UnknownModelError."""
    return [pair for served in registry.candidates("translate", None) for pair in served.predictor.pairs]


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
        name: values if len(values) > 1 else values[0]
        for name, values in found.items()
        if name == TEXT_FIELD or any(values)
    }
    try:
        return msgspec.convert(fields, form, strict=False)
    except msgspec.ValidationError as error:
        raise explain(msgspec.json.encode(fields), error, form) from error


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
