"""Settings: one frozen value that an operator chooses, read once from the environment."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from service.errors import SettingsError
from service.settings_fields import Networks, Origins, setting
from service.settings_rules import PREFIX, impossible, variable

MAX_BEAM_SIZE = 16  # of one sentence: a decoder must have room for one
MAX_DRAIN_SECONDS = 86_400  # a day: what is longer is a mistake, and what is much longer no clock can wait for
# Variables that Kubernetes sets in every pod beside a Service named ribbon, as Docker's old links do.
_LINK = re.compile(r"RIBBON_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
_LINK_HINT = (
    "set by Kubernetes, which describes a Service named 'ribbon' in variables that begin with RIBBON_; "
    "set enableServiceLinks: false in the pod's spec, or give the Service another name"
)


class Settings(BaseModel):
    """Settings of the service with their defaults. ``python -m service.settings`` prints them as the table for
    people."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = setting(
        "127.0.0.1", meaning="address to listen on", cost="`0.0.0.0` lets in whoever can reach the machine"
    )
    port: int = setting(
        8000, ge=0, le=65535, meaning="port to listen on; 0 picks a free one", cost="nothing; under 1024 needs a right"
    )
    admin_host: str | None = setting(
        None,
        meaning="address that the admin port listens on; default: that of `RIBBON_HOST`",
        cost="no key is asked for there: whoever reaches it can reload models",
    )
    admin_port: int | None = setting(
        None,
        ge=0,
        le=65535,
        meaning="port for `/metrics`, `/health`, `/models` and `/admin/reload`; 0 picks a free one; default: none, "
        "`/metrics` is on the main port and models are reloaded by SIGHUP only",
        cost="nothing; under 1024 needs a right",
    )
    models_dir: Path = setting(
        Path("models"), meaning="folder of bundles", cost="each bundle: memory in every worker, and time to start"
    )
    default_tagger: str | None = setting(
        None,
        meaning="answers /tag when no model is named: a name, and with it its highest version, or `name@version`; "
        "default: the bundle that says so, else the first by name",
        cost="what that model costs",
    )
    default_classifier: str | None = setting(None, meaning="the same for /classify", cost="what that model costs")
    default_translator: str | None = setting(
        None,
        meaning="the same for /translate, where several models serve the languages asked for",
        cost="what that model costs",
    )
    default_language_model: str | None = setting(
        None, meaning="the same for /generate and /score", cost="what that model costs"
    )
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto",
        meaning="where models run; `auto`: on a GPU if there is one that works, else on the CPU",
        cost="`cuda` takes memory of the GPU, and does not start without one",
    )
    precision: str | None = setting(
        None,
        meaning="variant of each model's graph, where it has this one; default: the bundle's own",
        cost="`int8` is faster and drifts within what the bundle states; `fp32` is exact and slower",
    )
    workers: int = setting(
        1, ge=1, le=64, meaning="processes that serve, all on one port", cost="memory: each has queues and arenas"
    )
    threads: int | None = setting(
        None,
        ge=1,
        le=256,
        meaning="model runs at once in a worker, one thread each; default: the CPU quota over the workers",
        cost="memory of a largest run each; more than there are cores, and every run is slower",
    )

    max_items: int = setting(128, ge=1, meaning="texts in one request", cost="longer waits for those behind it")
    max_body_bytes: int = setting(
        4 * 1024 * 1024, ge=1024, meaning="bytes in one request body", cost="memory: a body is read whole"
    )
    max_text_length: int = setting(
        50_000, ge=1, meaning="characters in one text", cost="longer waits; memory of the largest answer"
    )
    max_request_length: int = setting(
        131_072,
        ge=1,
        meaning="characters in all texts of one request",
        cost="memory: an answer of `/tag` is many times as long as its text",
    )

    max_batch_cells: int = setting(
        1024,
        ge=1,
        meaning="rows x longest row in one model run",
        cost="memory of each thread; a run cannot be interrupted, so others wait longer behind it",
    )
    max_decoder_rows: int = setting(
        32,
        ge=MAX_BEAM_SIZE,
        meaning="hypotheses of a translator or samples of a language model decoded at once by one thread",
        cost="slower steps for all that are decoded together; memory of their states",
    )
    max_queued_cells: int = setting(
        65_536,
        ge=1,
        meaning="tokens that may wait; above, 429",
        cost="longer waits before anybody is refused, and the memory of what waits",
    )
    max_requests: int = setting(
        4096,
        ge=1,
        meaning="requests that may be inside at once; above, 429",
        cost="memory: the body of each, and connections",
    )
    default_timeout_ms: int = setting(
        30_000,
        ge=1,
        le=3_600_000,
        meaning="deadline of a request that names none",
        cost="late answers nobody may wait for any more, in place of early refusals",
    )

    api_keys_file: Path | None = setting(
        None,
        meaning="file of names and hashes of the keys that are let in; default: nobody needs a key",
        cost="every key in it: under a microsecond of each request",
    )
    rate_limit_items: float | None = setting(
        None,
        ge=1e-6,
        le=1e9,
        meaning="texts a second of one key, or of one address where there are no keys; default: no limit",
        cost="one caller may take more of what others share",
    )
    rate_limit_burst: int | None = setting(
        None,
        ge=1,
        meaning="texts at once of a caller who was quiet; default: those of a second, at least `RIBBON_MAX_ITEMS`",
        cost="longer waits for others behind one caller",
    )
    trusted_proxies: Networks | None = setting(
        None,
        meaning="addresses and networks, comma-separated, whose X-Forwarded-For is believed",
        cost="whoever can send from these addresses passes for anybody",
    )
    cors_origins: Origins | None = setting(
        None,
        meaning="origins, comma-separated, whose pages may call the service from a browser, or `*`",
        cost="scripts of those pages can use the service as their visitors could",
    )
    max_connections: int | None = setting(
        None,
        ge=1,
        meaning="connections open at once in a worker; default: 10000, or what the limit of open files leaves",
        cost="some 10 KB of memory and an open file each",
    )
    body_timeout_seconds: float = setting(
        30.0,
        gt=0,
        meaning="most time for a request's headers to arrive, and again for its body; above, 408",
        cost="slow callers hold their connections longer",
    )
    answer_timeout_seconds: float = setting(
        60.0,
        gt=0,
        meaning="most time for a caller to read an answer; above, the connection is cut",
        cost="callers who do not read hold memory and connections longer",
    )

    drain_seconds: float = setting(
        0.0,
        ge=0,
        le=MAX_DRAIN_SECONDS,
        meaning="on SIGTERM, how long requests are still taken after saying not ready",
        cost="slower restarts",
    )
    drain_timeout_seconds: float = setting(
        30.0,
        ge=0,
        le=MAX_DRAIN_SECONDS,
        meaning="after that, most time that work in flight is waited for",
        cost="slower restarts where callers hang; too little loses answers",
    )

    tracing: Literal["off", "otlp"] = setting(
        "off",
        meaning="`otlp` sends OpenTelemetry spans to where `OTEL_EXPORTER_OTLP_ENDPOINT` says",
        cost="0.1 ms of processor time for each request that is sampled (`OTEL_TRACES_SAMPLER`)",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", meaning="least level logged", cost="`debug` writes more; `warning` leaves out the line of each request"
    )
    log_format: Literal["json", "text"] = setting(
        "json", meaning="one JSON object a line, or plain lines", cost="`text` is for eyes; no collector reads it"
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read every ``RIBBON_`` variable. Raises SettingsError on a misspelt name, a bad value or values that cannot
        go together; its message has a line for each and says what to do."""
        named = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        links = sorted(name for name, value in named.items() if _is_link(name, value))
        wrong = [f"{', '.join(links)}: {_LINK_HINT}"] if links else []
        wrong += [_not_a_setting(name) for name in sorted(named.keys() - {*variables(), *links})]
        chosen = {name: named[name] for name in variables() if name in named and name not in links}
        wrong += [f"{name} is empty: leave it out to have its default" for name in chosen if not chosen[name]]
        try:
            settings = cls.model_validate(
                {name.removeprefix(PREFIX).lower(): chosen[name] for name in chosen if chosen[name]}
            )
        except ValidationError as error:
            raise SettingsError("\n".join([*wrong, *_bad_values(error, chosen)])) from None
        if wrong or (wrong := impossible(settings)):
            raise SettingsError("\n".join(wrong))
        return settings


def variables() -> list[str]:
    """Return the name of every environment variable that is read."""
    return list(map(variable, Settings.model_fields))


def _is_link(name: str, value: str) -> bool:
    return _LINK.fullmatch(name) is not None and (name not in variables() or "://" in value)


def _not_a_setting(name: str) -> str:
    nearest = get_close_matches(name, variables(), n=1, cutoff=0.0)[0]
    return f"{name} is not a setting; did you mean {nearest}?"


def _bad_values(error: ValidationError, chosen: Mapping[str, str]) -> list[str]:
    names = [str(problem["loc"][0]) for problem in error.errors()]
    messages = [problem["msg"] for problem in error.errors()]
    return [_bad_value(name, chosen[variable(name)], message) for name, message in zip(names, messages, strict=True)]


def _bad_value(name: str, value: str, message: str) -> str:
    field = Settings.model_fields[name]
    default = "" if field.default is None else f"; without it: {field.default}"
    return f"{variable(name)}={value}: {message[:1].lower()}{message[1:]} ({field.description}{default})"


if __name__ == "__main__":
    from service.settings_table import main

    print(main(sys.argv[1:], Settings))
