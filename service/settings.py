"""Settings: one frozen value that an operator chooses, read once from the environment.

``python -m service.settings`` prints the table of all settings; with a document's path it rewrites the table there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from service.errors import SettingsError
from service.settings_types import Count, DrainSeconds, Hosts, Networks, Origins, Port, Seconds, Workers

PREFIX = "RIBBON_"
MAX_BEAM_SIZE = 16  # of one sentence: a decoder must have room for one
MAX_UTF8_BYTES = 4  # of one character
MAX_JSON_BYTES = 12  # of one character: an emoji as two escapes
OTHER_BYTES = 262_144  # of a body beside its texts: names, brackets, options, the state of a language model
LARGEST_BODIES = 32  # of the largest size that all bodies of a process may take together
ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)
# Variables that Kubernetes sets in every pod beside a Service named ribbon, as Docker's old links do.
_LINK = re.compile(r"RIBBON_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
_LINK_HINT = (
    "set by Kubernetes, which describes a Service named 'ribbon' in variables that begin with RIBBON_; "
    "set enableServiceLinks: false in the pod's spec, or give the Service another name"
)
HEAD = "| Variable | Default | Meaning | What turning it up costs |\n| --- | --- | --- | --- |"
BEGIN, END = "<!-- settings: written by `make settings` -->", "<!-- end of settings -->"
_BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


class Settings(BaseModel):
    """Settings of the service. The text under each is its meaning and the cost of turning it up, as in the table."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """address to listen on. Cost: `0.0.0.0` lets in whoever can reach the machine"""
    port: Port = 8000
    """port to listen on; 0 picks a free one. Cost: nothing; under 1024 needs a right"""
    playground: bool = True
    """whether `/` is the playground, a page to try the models on. Cost: 150 KB of memory in each worker"""
    admin_host: str | None = None
    """address that the admin port listens on; default: that of `RIBBON_HOST`.
    Cost: no key is asked for there: whoever reaches it can reload models"""
    admin_port: Port | None = None
    """port for `/metrics`, `/health`, `/models` and `/admin/reload`; 0 picks a free one; default: none, `/metrics` is
    on the main port and models are reloaded by SIGHUP only.
    Cost: nothing; under 1024 needs a right"""
    models_dir: Path = Path("models")
    """folder of bundles. Cost: each bundle: memory in every worker, and time to start"""
    default_tagger: str | None = None
    """answers /tag when no model is named: a name, and with it its highest version, or `name@version`; default: the
    bundle that says so, else the first by name.
    Cost: what that model costs"""
    default_classifier: str | None = None
    """the same for /classify. Cost: what that model costs"""
    default_translator: str | None = None
    """the same for /translate, where several models serve the languages asked for. Cost: what that model costs"""
    default_language_model: str | None = None
    """the same for /generate and /score. Cost: what that model costs"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where models run; `auto`: on a GPU if there is one that works, else on the CPU.
    Cost: `cuda` takes memory of the GPU, and does not start without one"""
    precision: str | None = None
    """variant of each model's graph, where it has this one; default: the bundle's own.
    Cost: `int8` is faster and drifts within what the bundle states; `fp32` is exact and slower"""
    workers: Workers = 1
    """processes that serve, all on one port; `auto`: one for each core of the CPU quota, on a GPU one.
    Cost: memory: each has queues and arenas"""
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    """model runs at once in a worker, one thread each; default: the CPU quota over the workers.
    Cost: memory of a largest run each; more than there are cores, and every run is slower"""

    max_items: Count = 128
    """texts in one request. Cost: longer waits for those behind it"""
    max_text_length: Count = 50_000
    """characters in one text. Cost: longer waits; memory of the largest answer"""
    max_request_length: Count = 131_072
    """characters in all texts of one request. Cost: memory: an answer of `/tag` is many times as long as its text"""
    max_body_bytes: int = Field(
        ge=1024, default_factory=lambda chosen: MAX_JSON_BYTES * int(chosen.get("max_request_length", 0)) + OTHER_BYTES
    )
    """bytes in one request body; default: what the longest texts may take, 12 bytes a character and 262144 beside them.
    Cost: memory: a body is read whole"""
    max_bodies_bytes: int = Field(
        ge=1024, default_factory=lambda chosen: LARGEST_BODIES * int(chosen.get("max_body_bytes", 0))
    )
    """bytes in all request bodies of a worker that are being read or answered, beyond the first 16384 of each; above,
    503; default: 32 bodies of the largest size. Cost: memory: callers who never finish a body hold so much"""

    max_batch_cells: Count = 1024
    """rows x longest row in one model run.
    Cost: memory of each thread; a run cannot be interrupted, so others wait longer behind it"""
    max_decoder_rows: Annotated[int, Field(ge=MAX_BEAM_SIZE)] = 32
    """hypotheses of a translator or samples of a language model decoded at once by one thread.
    Cost: slower steps for all that are decoded together; memory of their states"""
    max_queued_cells: Count = 65_536
    """tokens that may wait; above, 429. Cost: longer waits before anybody is refused, and the memory of what waits"""
    max_requests: Count = 4096
    """requests that may be inside at once; above, 429. Cost: memory: the body of each, and connections"""
    default_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 30_000
    """deadline of a request that names none.
    Cost: late answers nobody may wait for any more, in place of early refusals"""

    api_keys_file: Path | None = None
    """file of names and hashes of the keys that are let in; default: nobody needs a key.
    Cost: every key in it: under a microsecond of each request"""
    rate_limit_items: Annotated[float, Field(ge=1e-6, le=1e9)] | None = None
    """texts a second of one key, or of one address where there are no keys; default: no limit.
    Cost: one caller may take more of what others share"""
    rate_limit_burst: Count | None = None
    """texts at once of a caller who was quiet; default: those of a second, at least `RIBBON_MAX_ITEMS`.
    Cost: longer waits for others behind one caller"""
    trusted_proxies: Networks | None = None
    """addresses and networks, comma-separated, whose X-Forwarded-For is believed.
    Cost: whoever can send from these addresses passes for anybody"""
    cors_origins: Origins | None = None
    """origins, comma-separated, whose pages may call the service from a browser, or `*`.
    Cost: scripts of those pages can use the service as their visitors could"""
    allowed_hosts: Hosts | None = None
    """names, comma-separated, under which the service is asked, beside its addresses, `localhost` and the machine's own
    name; `*.example.com` for all below it, `*` for any. Default: any, but for `/admin`, and where only this machine
    can reach the port and no proxy is trusted. Cost: pages under these names can use the service by rebinding"""
    root_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$")] | None = None
    """prefix of all paths behind a proxy, such as `/nlp`, whether or not the proxy takes it away. Cost: nothing"""
    max_connections: Count | None = None
    """connections open at once in a worker; default: 10000, or what the limit of open files leaves.
    Cost: some 10 KB of memory and an open file each"""
    body_timeout_seconds: Seconds = 30.0
    """most time for a request's headers to arrive, and again for its body; above, 408.
    Cost: slow callers hold their connections longer"""
    answer_timeout_seconds: Seconds = 60.0
    """most time in which a caller reads nothing of an answer; above, the connection is cut.
    Cost: callers who do not read hold memory and connections longer"""

    drain_seconds: DrainSeconds = 0.0
    """on SIGTERM, how long requests are still taken after saying not ready. Cost: slower restarts"""
    drain_timeout_seconds: DrainSeconds = 30.0
    """after that, most time that work in flight is waited for.
    Cost: slower restarts where callers hang; too little loses answers"""

    tracing: Literal["off", "otlp"] = "off"
    """`otlp` sends OpenTelemetry spans to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    Cost: 0.1 ms of processor time for each request that is sampled (`OTEL_TRACES_SAMPLER`)"""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """least level logged. Cost: `debug` writes more; `warning` leaves out the line of each request"""
    log_format: Literal["json", "text"] = "json"
    """one JSON object a line, or plain lines. Cost: `text` is for eyes; no collector reads it"""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read every ``RIBBON_`` variable. Raises SettingsError on a misspelt name, a bad value or values that cannot
        go together; its message has a line for each and says what to do."""
        named = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        links = [
            name
            for name in sorted(named)
            if _LINK.fullmatch(name) and (name not in variables() or "://" in named[name])
        ]
        wrong = [f"{', '.join(links)}: {_LINK_HINT}"] if links else []
        for name in sorted(named.keys() - {*variables(), *links}):
            nearest = get_close_matches(name, variables(), n=1, cutoff=0.0)[0]
            wrong.append(f"{name} is not a setting; did you mean {nearest}?")
        chosen = {name: named[name] for name in variables() if name in named and name not in links}
        wrong += [f"{name} is empty: leave it out to have its default" for name in chosen if not chosen[name]]
        values = {name.removeprefix(PREFIX).lower(): value for name, value in chosen.items() if value}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError("\n".join([*wrong, *_bad_values(error, chosen)])) from None
        if wrong or (wrong := [*conflicts(settings)]):
            raise SettingsError("\n".join(wrong))
        return settings


def variable(name: str) -> str:
    """Return the environment variable that a setting is read from."""
    return PREFIX + name.upper()


def variables() -> list[str]:
    """Return the name of every environment variable that is read."""
    return list(map(variable, Settings.model_fields))


def conflicts(settings: Settings) -> Iterator[str]:
    """Yield a line for each two settings that are right one by one and cannot go together; it says a way out."""
    at_most = partial(_at_most, settings)
    yield from at_most(
        "max_text_length", "max_request_length", "one text may not be longer than all texts of its request"
    )
    because = f"a character takes up to {MAX_UTF8_BYTES} bytes, so a body could be refused whose text is allowed"
    yield from at_most("max_request_length", "max_body_bytes", because, times=MAX_UTF8_BYTES)
    yield from at_most("max_body_bytes", "max_bodies_bytes", "a body that is allowed could never be read")
    yield from at_most("max_batch_cells", "max_queued_cells", "a run would take more tokens than may wait for it")
    yield from _same_address(settings)
    yield from needs(settings, "admin_host", "admin_port", "an address alone is not listened on")
    yield from at_most(
        "max_items", "rate_limit_burst", "a request with all the texts it may have would never be let in"
    )
    yield from needs(settings, "rate_limit_burst", "rate_limit_items", "a burst alone limits nothing")


def _at_most(settings: Settings, lesser: str, greater: str, because: str, *, times: int = 1) -> Iterator[str]:
    """Yield a line if a number is above another, or so many times of it."""
    low, high = getattr(settings, lesser), getattr(settings, greater)
    if low is not None and high is not None and times * low > high:
        yield (
            f"{_assignment(settings, lesser)} and {_assignment(settings, greater)} cannot go together: {because}; "
            f"set {variable(lesser)} to at most {high // times} or {variable(greater)} to at least {times * low}"
        )


def _same_address(settings: Settings) -> Iterator[str]:
    """Yield a line if both listeners have one port, unless any free one is asked for or their addresses differ."""
    hosts = {settings.host, settings.admin_host or settings.host}
    is_elsewhere = len(hosts) == 2 and not hosts & ANY_ADDRESS
    if settings.admin_port and settings.admin_port == settings.port and not is_elsewhere:
        both = f"{_assignment(settings, 'admin_port')} and {_assignment(settings, 'port')}"
        yield f"{both} cannot go together: two listeners cannot have one address; give one of them another value"


def needs(settings: Settings, one: str, other: str, because: str) -> Iterator[str]:
    """Yield a line if a setting is given without another one that it needs to have an effect."""
    if getattr(settings, one) is not None and getattr(settings, other) is None:
        yield (
            f"{_assignment(settings, one)} needs {variable(other)}: {because}; "
            f"set {variable(other)} too, or leave {variable(one)} out"
        )


def _assignment(settings: Settings, name: str) -> str:
    """Format a setting, as ``RIBBON_MAX_ITEMS=128``, and say whether it is the default."""
    default = "" if name in settings.model_fields_set else " (the default)"
    return f"{variable(name)}={getattr(settings, name)}{default}"


def _bad_values(error: ValidationError, chosen: Mapping[str, str]) -> Iterator[str]:
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":  # another setting, which it is made of, is wrong
            continue
        name, message = str(problem["loc"][0]), problem["msg"]
        default = default_of(Settings.model_fields[name])
        hint = meaning_and_cost(name)[0] + (f"; without it: {default}" if default else "")
        yield f"{variable(name)}={chosen[variable(name)]}: {message[:1].lower()}{message[1:]} ({hint})"


def table() -> str:
    """Return the table of settings in Markdown: a line for each, in the order of the class."""
    rows = [HEAD]
    for name, field in Settings.model_fields.items():
        default = f"`{default_of(field)}`" if default_of(field) else ""
        rows.append(f"| `{variable(name)}` | {default} | {' | '.join(meaning_and_cost(name))} |")
    return "\n".join(rows)


def default_of(field: FieldInfo) -> str:
    """Format a setting's default; empty if there is none, or if it is made of other settings."""
    return "" if field.default_factory or field.default is None else str(field.default)


def meaning_and_cost(name: str) -> tuple[str, str]:
    """Return a setting's meaning and the cost of turning it up, from the text under its declaration."""
    meaning, _, cost = " ".join((Settings.model_fields[name].description or "").split()).partition(". Cost: ")
    return meaning, cost


def rewritten(document: str) -> str:
    """Return the document with its table up to date. Raises ValueError if it has no marks around one."""
    if not _BLOCK.search(document):
        raise ValueError(f"no table between {BEGIN!r} and {END!r}")
    return _BLOCK.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", document)


def main(documents: Sequence[str]) -> str:
    """Return the table; in each document that is named, write the table anew."""
    for path in map(Path, documents):
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
    return table()


if __name__ == "__main__":
    print(main(sys.argv[1:]))
