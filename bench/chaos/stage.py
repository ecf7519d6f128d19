"""Everything that takes part in a run, and what is written down while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.chaos.clients import Clients, Target
from bench.chaos.clock import now
from bench.chaos.instances import Instance
from bench.chaos.logs import Window
from bench.chaos.proxy import Proxy
from bench.chaos.pulse import Pulse
from bench.chaos.records import Kill, Reign
from bench.chaos.resources import Holdings, holdings_of
from bench.chaos.schedule import Trouble
from bench.client import Address

GRACE_SECONDS = 1.0  # after a trouble, its traces in logs are still explained by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A trouble that was made: when, to whom, and what came of it at once."""

    trouble: Trouble
    since: float
    until: float
    target: str
    note: str
    memory_mb: float  # of all processes of the service, at its end


@dataclass(slots=True, kw_only=True, eq=False)
class Stage:
    """The parts of a run that troubles act on. ``faults`` are reasons to fail that are seen while it happens."""

    instances: Mapping[str, Instance]
    proxy: Proxy | None
    targets: Mapping[str, Target]
    clients: Clients
    shipped: Mapping[str, str]  # models, and their versions as they came
    pulse: Pulse = field(default_factory=Pulse)
    rate: float = 0.0  # requests a second, of the well-behaved
    kills: list[Kill] = field(default_factory=list)
    reigns: list[Reign] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    restarts: list[tuple[float, float]] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    calm: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by what must not meet a burst
    versions: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)  # (instance, model): now, since

    @property
    def addresses(self) -> list[Address]:
        """The addresses of all open targets, for callers without manners."""
        return [target.address for target in self.targets.values() if target.is_open]

    def holdings(self) -> list[Holdings]:
        """The resources of all processes of the service."""
        return [held for name, one in self.instances.items() for held in holdings_of(name, one.pid)]

    def explain(self, instance: str, since: float) -> None:
        """Until now, errors in its log are no surprise."""
        self.windows.append(Window(instance=instance, since=since - GRACE_SECONDS, until=now() + GRACE_SECONDS))

    def enthrone(self, instance: str, model: str, version: str, since: float) -> None:
        """The reload at ``since`` has settled: from then on this version answers, and no longer the one before."""
        before, reigned = self.versions.get((instance, model), (version, 0.0))
        if before != version:
            self.reigns.append(Reign(instance=instance, model=model, version=before, since=reigned, until=now()))
        self.versions[instance, model] = (version, since)

    def all_reigns(self) -> list[Reign]:
        """All reigns, including those that go on."""
        going = (
            Reign(instance=instance, model=model, version=version, since=since, until=float("inf"))
            for (instance, model), (version, since) in self.versions.items()
        )
        return [*self.reigns, *going]
