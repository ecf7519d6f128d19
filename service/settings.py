"""What an operator may choose: one frozen value, read once from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import SettingsError

PREFIX = "RIBBON_"
MAX_BEAM_SIZE = 16  # of one sentence: a decoder must have room for one


class Settings(BaseModel):
    """Every setting with its default. ``docs/operations.md`` has the same table for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    models_dir: Path = Field(Path("models"), description="folder of bundles")
    default_tagger: str | None = Field(
        None,
        description="answers /tag when no model is named; default: the bundle that says so, else the first by name",
    )
    default_classifier: str | None = Field(None, description="the same for /classify")
    default_translator: str | None = Field(
        None, description="the same for /translate, where several models serve the languages asked for"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where models run")
    precision: str | None = Field(
        None, description="variant of each model's graph, where it has this one; default: the bundle's own"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that serve, all on one port")
    threads: int | None = Field(
        None,
        ge=1,
        le=256,
        description="model runs at once in a worker, one thread each; default: the CPU quota over the workers",
    )

    max_items: int = Field(128, ge=1, description="texts in one request")
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="bytes in one request body")
    max_text_length: int = Field(50_000, ge=1, description="characters in one text")
    max_request_length: int = Field(131_072, ge=1, description="characters in all texts of one request")

    max_batch_cells: int = Field(1024, ge=1, description="rows x longest row in one model run")
    max_decoder_rows: int = Field(
        32, ge=MAX_BEAM_SIZE, description="hypotheses of a translation model decoded at once by one slot"
    )
    max_queued_cells: int = Field(65_536, ge=1, description="tokens that may wait; above, 429")
    default_timeout_ms: int = Field(30_000, ge=1, description="deadline of a request that names none")
    drain_seconds: float = Field(0.0, ge=0, description="least time between not ready and closed, on SIGTERM")
    drain_timeout_seconds: float = Field(30.0, ge=0, description="most time that work in flight is waited for")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")
    log_format: Literal["json", "text"] = Field("json", description="one JSON object a line, or plain lines")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read every ``RIBBON_`` variable. Raises SettingsError on a misspelt name or a bad value."""
        named = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        unknown = [name for name in named if name not in variables()]
        if unknown:
            raise SettingsError("\n".join(map(_not_a_setting, sorted(unknown))))
        try:
            return cls.model_validate({name.removeprefix(PREFIX).lower(): named[name] for name in named})
        except ValidationError as error:
            raise SettingsError("\n".join(_bad_values(error, named))) from None


def variables() -> list[str]:
    """The name of every environment variable that is read."""
    return [PREFIX + field.upper() for field in Settings.model_fields]


def _not_a_setting(name: str) -> str:
    nearest = get_close_matches(name, variables(), n=1, cutoff=0.0)[0]
    return f"{name} is not a setting; did you mean {nearest}?"


def _bad_values(error: ValidationError, named: Mapping[str, str]) -> list[str]:
    lines = []
    for problem in error.errors():
        name = PREFIX + str(problem["loc"][0]).upper()
        lines.append(f"{name}={named.get(name, '')}: {problem['msg']}")
    return lines
