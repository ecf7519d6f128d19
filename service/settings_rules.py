"""Rules for settings that are right one by one and cannot go together. Each names both variables and a way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

PREFIX = "RIBBON_"
MAX_UTF8_BYTES = 4  # of one character
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)


class Rule(Protocol):
    """Rule that several settings must keep."""

    def broken(self, settings: BaseModel) -> str | None:
        """Return what is wrong and what to do about it; None if the rule is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """Rule that a number may not be above another, or above a part of it."""

    lesser: str
    greater: str
    times: int = 1  # so many of the lesser must fit
    because: str

    def broken(self, settings: BaseModel) -> str | None:
        lesser, greater = getattr(settings, self.lesser), getattr(settings, self.greater)
        if lesser is None or greater is None or self.times * lesser <= greater:
            return None
        return (
            f"{told(settings, self.lesser)} and {told(settings, self.greater)} cannot go together: {self.because}; "
            f"set {variable(self.lesser)} to at most {greater // self.times} "
            f"or {variable(self.greater)} to at least {self.times * lesser}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Rule that two ports must differ, unless any free port is asked for or they belong to different addresses."""

    one: str
    other: str
    hosts: tuple[str, str]
    because: str

    def broken(self, settings: BaseModel) -> str | None:
        port = getattr(settings, self.one)
        if not port or port != getattr(settings, self.other) or self._are_elsewhere(settings):
            return None
        both = f"{told(settings, self.one)} and {told(settings, self.other)}"
        return f"{both} cannot go together: {self.because}; give one of them another value"

    def _are_elsewhere(self, settings: BaseModel) -> bool:
        one, other = (getattr(settings, host) for host in self.hosts)
        return one is not None and one != other and not {one, other} & EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Rule that a setting needs another one to have an effect."""

    one: str
    other: str
    because: str

    def broken(self, settings: BaseModel) -> str | None:
        if getattr(settings, self.one) is None or getattr(settings, self.other) is not None:
            return None
        return (
            f"{told(settings, self.one)} needs {variable(self.other)}: {self.because}; "
            f"set {variable(self.other)} too, or leave {variable(self.one)} out"
        )


RULES: Sequence[Rule] = (
    AtMost(
        lesser="max_text_length",
        greater="max_request_length",
        because="one text may not be longer than all texts of its request",
    ),
    AtMost(
        lesser="max_request_length",
        greater="max_body_bytes",
        times=MAX_UTF8_BYTES,
        because=f"a character takes up to {MAX_UTF8_BYTES} bytes, so a body could be refused whose text is allowed",
    ),
    AtMost(
        lesser="max_batch_cells",
        greater="max_queued_cells",
        because="a run would take more tokens than may wait for it",
    ),
    Apart(
        one="admin_port",
        other="port",
        hosts=("admin_host", "host"),
        because="two listeners cannot have one address",
    ),
    Needs(one="admin_host", other="admin_port", because="an address alone is not listened on"),
    AtMost(
        lesser="max_items",
        greater="rate_limit_burst",
        because="a request with all the texts it may have would never be let in",
    ),
    Needs(one="rate_limit_burst", other="rate_limit_items", because="a burst alone limits nothing"),
)


def impossible(settings: BaseModel) -> list[str]:
    """Return a line for every rule that is broken."""
    return [line for rule in RULES if (line := rule.broken(settings)) is not None]


def variable(name: str) -> str:
    """Return the environment variable that a setting is read from."""
    return PREFIX + name.upper()


def told(settings: BaseModel, name: str) -> str:
    """Format a setting, as ``RIBBON_MAX_ITEMS=128``, and say whether it is the default."""
    default = "" if name in settings.model_fields_set else " (the default)"
    return f"{variable(name)}={getattr(settings, name)}{default}"
