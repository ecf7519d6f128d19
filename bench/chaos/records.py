"""Records of requests: every one that a well-behaved client sent has exactly one fate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bench.chaos.asks import DEGRADED_MARK, ID_HEADER, NotAnAnswerError, Reply, StreamEndedError, read_reply
from bench.chaos.wire import Answer

SLACK_SECONDS = 0.3  # between two things that happen at once and are written down by a busy machine
KILL_SECONDS = 2.0  # until a broken connection is noticed
LagBetween = Callable[[float, float], float]
PROXY_ALONE = "the proxy alone answered"  # without an instance
HONEST_KINDS: Mapping[int, Collection[str]] = {
    429: {"overloaded", "rate_limited"},
    503: {"not_ready"},
    504: {"deadline_exceeded"},
}


class Fate(StrEnum):
    RIGHT = "right"  # every byte
    DEGRADED = "degraded"  # right but for sentences that say that there was no time to translate them twice
    REFUSED = "refused"  # by the service itself, with a problem document that says why and when to come again
    KILLED = "killed"  # its process was
    WRONG = "wrong"  # another answer than the one recorded, or a status that nothing explains
    LOST = "lost"  # no answer


DEFECTS = (Fate.WRONG, Fate.LOST)


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One request; lost until something better is known."""

    request_id: str
    name: str
    target: str  # through which it was sent: the proxy, or straight to an instance
    sent_at: float
    has_deadline: bool = False
    pinned: str = ""  # the version that was asked for
    ended_at: float = 0.0
    status: int = 0
    fate: Fate = Fate.LOST
    detail: str = "still open"
    model: str = ""
    version: str = ""
    instance: str = ""  # that dealt with it last, as far as is known
    retries: int = 0  # by the proxy

    @property
    def seconds(self) -> float:
        return self.ended_at - self.sent_at

    def overlaps(self, since: float, until: float) -> bool:
        return self.sent_at <= until and self.ended_at >= since

    def __str__(self) -> str:
        where = f"{self.target} -> {self.instance or '?'}"
        return f"{self.fate}: {self.name} {self.request_id} by {where}: {self.status} {self.detail}"


@dataclass(slots=True, kw_only=True, eq=False)
class Kill:
    """A process that was ended with SIGKILL; it had so many connections, each with one request at most."""

    instance: str
    pid: int
    at: float
    connections: int
    until: float  # so long requests may fail of it: that moment where other processes share its port
    replaced_at: float
    victims: list[Entry] = field(default_factory=list)

    def explains(self, entry: Entry, lag_between: LagBetween) -> bool:
        """Whether a request may have failed of it. What happens while the machine is late is written down later."""
        lag = lag_between(self.at, entry.ended_at)
        return (
            entry.instance in ("", self.instance)
            and entry.sent_at <= self.until + SLACK_SECONDS + lag
            and self.at - SLACK_SECONDS - lag <= entry.ended_at <= self.until + KILL_SECONDS + lag
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """A version that an instance may answer with: from the reload that brings it until the next has settled."""

    instance: str
    model: str
    version: str
    since: float
    until: float

    def covers(self, entry: Entry) -> bool:
        same = (self.instance, self.model, self.version) == (entry.instance, entry.model, entry.version)
        return same and entry.overlaps(self.since, self.until)


def close(entry: Entry, answer: Answer, right: Reply, *, at: float) -> None:
    """Write down what came back."""
    entry.ended_at, entry.status = at, answer.status
    is_by_proxy = answer.status in (502, 503, 504) and not honest_refusal(answer)
    if is_by_proxy and answer.headers.get(ID_HEADER, entry.request_id) == entry.request_id:
        entry.fate, entry.detail = Fate.LOST, PROXY_ALONE
    elif answer.headers.get(ID_HEADER) != entry.request_id:
        entry.fate, entry.detail = Fate.WRONG, "the answer to another request"
    elif answer.status == 200:
        entry.fate, entry.detail = _compare(entry, answer, right)
    elif problem := honest_refusal(answer):
        entry.fate, entry.detail = Fate.REFUSED, problem
    else:
        entry.fate, entry.detail = Fate.WRONG, f"a status that nothing explains: {answer.body[:200]!r}"


def _compare(entry: Entry, answer: Answer, right: Reply) -> tuple[Fate, str]:
    try:
        reply = read_reply(answer)
    except NotAnAnswerError as error:
        return Fate.WRONG, str(error)
    except StreamEndedError as error:
        return _ended_stream(str(error))
    entry.model, entry.version = reply.model, reply.version
    if reply.model != right.model:
        return Fate.WRONG, f"answered by {reply.model}"
    if reply.content == right.content:
        return Fate.RIGHT, ""
    if _is_degraded(reply, right):
        return Fate.DEGRADED, "no time for a second translation"
    return Fate.WRONG, _first_difference(reply, right)


def _is_degraded(reply: Reply, right: Reply) -> bool:
    """Whether the answer says that it is, and all events of a stream that do not say so are right."""
    events, right_events = reply.content.split(b"\n\n"), right.content.split(b"\n\n")
    others = [event for event in events if DEGRADED_MARK not in event]
    return len(others) < len(events) == len(right_events) and set(others) <= set(right_events)


def _ended_stream(problem: str) -> tuple[Fate, str]:
    """What was begun may still be refused, if it is for a reason of those that are honest."""
    kind = kind_of(problem.encode())
    honest = any(kind in kinds for kinds in HONEST_KINDS.values())
    return (Fate.REFUSED, f"{kind} in a stream") if honest else (Fate.WRONG, f"a stream that ends with {problem}")


def _first_difference(reply: Reply, right: Reply) -> str:
    pairs = enumerate(zip(reply.content, right.content, strict=False))
    at = next((place for place, (one, other) in pairs if one != other), len(right.content))
    near = slice(max(0, at - 40), at + 40)
    return f"differs at byte {at}: {reply.content[near]!r} for {right.content[near]!r}"


def honest_refusal(answer: Answer) -> str:
    """The problem's kind if the service refused as the contract says; else nothing."""
    if answer.status not in HONEST_KINDS or answer.headers.get("content-type") != "application/problem+json":
        return ""
    if answer.status != 504 and "retry-after" not in answer.headers:
        return ""
    kind = kind_of(answer.body)
    return kind if kind in HONEST_KINDS[answer.status] else ""


def kind_of(problem: bytes) -> str:
    """The kind of a problem document; empty for any other content."""
    try:
        return str(json.loads(problem)["kind"])
    except (ValueError, KeyError, TypeError):
        return ""


def attribute(entries: Iterable[Entry], kills: Sequence[Kill], lag_between: LagBetween) -> None:
    """Attribute requests lost in a killed process to the kill; each kill explains at most as many as its process had
    connections. See :meth:`bench.chaos.pulse.Pulse.lag_between`."""
    for entry in entries:
        if entry.fate is not Fate.LOST:
            continue
        open_kills = (each for each in kills if len(each.victims) < each.connections)
        kill = next((each for each in open_kills if each.explains(entry, lag_between)), None)
        if kill is not None:
            kill.victims.append(entry)
            entry.fate = Fate.KILLED


def check_versions(entries: Iterable[Entry], reigns: Sequence[Reign]) -> None:
    """An answer of a version that the instance should not have served then is wrong, however right its bytes."""
    for entry in entries:
        if entry.fate in (Fate.RIGHT, Fate.DEGRADED) and not _may_be(entry, reigns):
            entry.fate, entry.detail = Fate.WRONG, f"answered by {entry.model} {entry.version}, not served at that time"


def _may_be(entry: Entry, reigns: Sequence[Reign]) -> bool:
    if entry.pinned:
        return entry.version == entry.pinned
    return not entry.instance or any(reign.covers(entry) for reign in reigns)


def count(entries: Iterable[Entry]) -> dict[str, int]:
    """The number of requests by fate."""
    counted = Counter(entry.fate for entry in entries)
    return {str(fate): counted[fate] for fate in Fate}
