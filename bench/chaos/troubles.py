"""The troubles of the schedule, and the two lanes in which they come."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bench.chaos.clock import now
from bench.chaos.killing import kill, stop
from bench.chaos.nuisances import ANSWERED, half_close, hoard_bodies, read_slowly, send_garbage, send_halves, vanish
from bench.chaos.reloading import reload, reload_corrupt
from bench.chaos.restarting import restart_all
from bench.chaos.schedule import Event, Schedule, Trouble
from bench.chaos.stage import Happening, Stage
from bench.client import Address

UNREAD_SECONDS = 8.0
BURST_FACTOR, BURST_SECONDS = 5.0, 1.0
Make = Callable[[Stage, random.Random], Awaitable[tuple[str, str]]]  # whom it met, and what came of it
Annoy = Callable[[Sequence[Address], random.Random], Awaitable[Counter[str]]]


def by_callers(annoy: Annoy) -> Make:
    """At every open target. A 500 is a bug, whatever was sent."""

    async def make(stage: Stage, draw: random.Random) -> tuple[str, str]:
        happened = await annoy(stage.addresses, draw)
        if happened["500"]:
            stage.faults.append(f"{annoy.__name__}: answered with 500 {happened['500']} times")
        return "all targets", ", ".join(f"{number} x {what}" for what, number in sorted(happened.items()))

    return make


async def half_closed(stage: Stage, draw: random.Random) -> tuple[str, str]:
    """Callers who send no more. Not in a restart; a proxy may take them for callers who have left."""
    if stage.calm.locked():
        return "nobody", "left out: a restart is going on"
    async with stage.calm:
        addresses = [each.address for name, each in stage.targets.items() if each.is_open and name in stage.instances]
        happened = await half_close(addresses, draw)
    if not happened[ANSWERED]:
        stage.faults.append(f"half-closed callers had no answer: {dict(happened)}")
    return "all instances", ", ".join(f"{number} x {what}" for what, number in sorted(happened.items()))


async def leave_log_unread(stage: Stage, draw: random.Random) -> tuple[str, str]:
    """The pipe that an instance logs to is not read for a while: it goes on, and no line is lost of so few."""
    instance = stage.instances[draw.choice(sorted(stage.instances))]
    instance.life.pipe.hold()
    try:
        await asyncio.sleep(UNREAD_SECONDS)
        healthy = await instance.health()
    finally:
        instance.life.pipe.go_on()
    if healthy != 200:
        stage.faults.append(f"{instance.name}: with its log unread it is not ready ({healthy})")
    return instance.name, f"unread for {UNREAD_SECONDS:.0f} s"


async def burst(stage: Stage, _: random.Random) -> tuple[str, str]:
    """Well-behaved callers, but too many of them. Not in a restart, which nobody may notice."""
    if stage.calm.locked():
        return "nobody", "left out: a restart is going on"
    async with stage.calm:
        await stage.clients.pace((BURST_FACTOR - 1) * stage.rate, seconds=BURST_SECONDS)
    return "all targets", f"{BURST_FACTOR * stage.rate:.0f} requests/s for {BURST_SECONDS:.0f} s"


MAKERS: Mapping[Trouble, Make] = {
    Trouble.KILL: kill,
    Trouble.STOP: stop,
    Trouble.UNREAD_LOG: leave_log_unread,
    Trouble.RELOAD: reload,
    Trouble.CORRUPT_RELOAD: reload_corrupt,
    Trouble.ROLLING_RESTART: restart_all,
    Trouble.VANISH: by_callers(vanish),
    Trouble.SLOW_READERS: by_callers(read_slowly),
    Trouble.HALF_SENT: by_callers(send_halves),
    Trouble.GARBAGE: by_callers(send_garbage),
    Trouble.HALF_CLOSED: half_closed,
    Trouble.HOARDED_BODIES: by_callers(hoard_bodies),
    Trouble.BURST: burst,
}


async def unleash(stage: Stage, schedule: Schedule) -> None:
    """Both lanes to their ends."""
    started = now()
    await asyncio.gather(*(_lane(stage, lane, started) for lane in (schedule.processes, schedule.callers)))


async def _lane(stage: Stage, lane: Sequence[Event], started: float) -> None:
    for event in lane:
        await asyncio.sleep(max(0.0, started + event.at - now()))
        stage.happenings.append(await _make(stage, event))


async def _make(stage: Stage, event: Event) -> Happening:
    """A trouble that cannot even be made, for the service is not what it should be, is a fault; the run goes on."""
    since = now()
    try:
        target, note = await MAKERS[event.trouble](stage, event.draw)
    except Exception as error:
        target, note = "?", f"{type(error).__name__}: {error}"
        stage.faults.append(f"{event.trouble}: {note}")
    until, memory_mb = now(), sum(held.proportional_mb for held in stage.holdings())
    return Happening(trouble=event.trouble, since=since, until=until, target=target, note=note, memory_mb=memory_mb)
