"""SIGHUP with other bundles in the models folder: good ones are served at once, bad ones change nothing."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.chaos.asks import Ask, read_reply
from bench.chaos.bundles import DAMAGES, ModelsFolder
from bench.chaos.clock import now
from bench.chaos.instances import Instance
from bench.chaos.logs import errors_since
from bench.chaos.records import honest_refusal
from bench.chaos.stage import Stage
from bench.chaos.wire import BrokenError, ask_once
from bench.client import Address

SETTLED_SECONDS, POLL_SECONDS = 180.0, 0.2
AT_ONCE, PASSES = 8, 3  # probes, so that they meet every worker
WATCH_SECONDS = 2.0
BUSY = ("overloaded", "deadline_exceeded")
_numbers = itertools.count(1)


async def reload(stage: Stage, draw: random.Random) -> tuple[str, str]:
    """A newer version comes; if there is one already, it goes again."""
    instance, model = _choose(stage, draw)
    current = stage.versions[instance.name, model][0]
    change = _bring if current == stage.shipped[model] else _withdraw
    wanted, seconds = await change(stage, instance, model, current)
    return f"{instance.name} {model}", f"{current} -> {wanted} after {seconds:.1f} s"


async def _bring(stage: Stage, instance: Instance, model: str, _: str) -> tuple[str, float]:
    wanted = f"5.{next(_numbers)}.0"  # above all that ship, below the damaged ones
    await asyncio.to_thread(instance.models.add_version, model, wanted)
    return wanted, await _hang_up(stage, instance, model, wanted)


async def _withdraw(stage: Stage, instance: Instance, model: str, current: str) -> tuple[str, float]:
    await asyncio.to_thread(instance.models.take_away, f"{model}-{current}")
    shipped = stage.shipped[model]
    return shipped, await _hang_up(stage, instance, model, shipped)


async def _hang_up(stage: Stage, instance: Instance, model: str, wanted: str) -> float:
    """SIGHUP, and the seconds until the version that is wanted answers."""
    since = now()
    instance.send(signal.SIGHUP)
    settled = await _serves(stage, instance, model, wanted)
    stage.enthrone(instance.name, model, wanted, since)
    if not settled:
        stage.faults.append(f"{instance.name} did not serve {model} {wanted} within {SETTLED_SECONDS:.0f} s of SIGHUP")
    return now() - since


async def reload_all(stage: Stage) -> None:
    """Bring a newer version of each model to each instance, and take them away again. What a worker has loaded in place
    is its own and no longer shared with the supervisor, some 25 MB in all: memory at the end is to be compared with
    that."""
    for instance in stage.instances.values():
        for model, version in stage.shipped.items():
            await _bring(stage, instance, model, version)
    await back_to_the_first(stage)


async def back_to_the_first(stage: Stage) -> None:
    """Only the versions there were at first, so that memory can be compared."""
    for (name, model), (current, _) in list(stage.versions.items()):
        if current != stage.shipped[model]:
            await _withdraw(stage, stage.instances[name], model, current)


async def reload_corrupt(stage: Stage, draw: random.Random) -> tuple[str, str]:
    """Beside the good one or in its place; then all is put back."""
    instance, model = _choose(stage, draw)
    damage, place = draw.choice(sorted(DAMAGES)), draw.choice((_beside, _in_its_place))
    since = now()
    async with place(instance.models, model, damage, draw):
        instance.send(signal.SIGHUP)
        seconds = await _complains(stage, instance, since)
        await asyncio.sleep(WATCH_SECONDS)
        current = stage.versions[instance.name, model][0]
        if (seen := await _versions(stage, instance, model)) != {current}:
            stage.faults.append(f"{instance.name}: with {damage} {model} {current} is answered by {sorted(seen)}")
        if (status := await instance.health()) != 200:
            stage.faults.append(f"{instance.name}: with {damage} /health/ready says {status or 'nothing'}")
    stage.explain(instance.name, since)
    instance.send(signal.SIGHUP)
    await asyncio.sleep(WATCH_SECONDS)
    return f"{instance.name} {model}", f"{damage}, {place.__name__.strip('_')}; refused after {seconds:.1f} s"


@asynccontextmanager
async def _beside(models: ModelsFolder, model: str, damage: str, draw: random.Random) -> AsyncIterator[None]:
    version = f"9.{next(_numbers)}.0"
    await asyncio.to_thread(models.add_damaged, model, version, DAMAGES[damage], draw)
    yield
    await asyncio.to_thread(models.take_away, f"{model}-{version}")


@asynccontextmanager
async def _in_its_place(models: ModelsFolder, model: str, damage: str, draw: random.Random) -> AsyncIterator[None]:
    await asyncio.to_thread(models.replace_with_damaged, model, DAMAGES[damage], draw)
    yield
    await asyncio.to_thread(models.restore, model)


def _choose(stage: Stage, draw: random.Random) -> tuple[Instance, str]:
    return stage.instances[draw.choice(sorted(stage.instances))], draw.choice(sorted(stage.shipped))


async def _serves(stage: Stage, instance: Instance, model: str, version: str) -> bool:
    """Whether all probes are answered by this version before long."""
    end, num_passes = now() + SETTLED_SECONDS, 0
    while now() < end:
        num_passes = num_passes + 1 if await _versions(stage, instance, model) == {version} else 0
        if num_passes == PASSES:
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


async def _complains(stage: Stage, instance: Instance, since: float) -> float:
    """How long it took to say that a bundle is no good."""
    end = now() + SETTLED_SECONDS
    while now() < end:
        if errors_since(instance.life.log, since):
            return now() - since
        await asyncio.sleep(POLL_SECONDS)
    stage.faults.append(f"{instance.name}: no error in the log within {SETTLED_SECONDS:.0f} s of a corrupt reload")
    return SETTLED_SECONDS


async def _versions(stage: Stage, instance: Instance, model: str) -> set[str]:
    """That answer when none is asked for."""
    ask = stage.clients.ask_for(model)
    return set(await asyncio.gather(*(version_of(instance.address, ask) for _ in range(AT_ONCE))))


async def version_of(address: Address, ask: Ask, *, seconds: float = SETTLED_SECONDS) -> str:
    """The version that answers, or what came instead. An answer of a service that has too much to do says nothing of
    its models, and neither does a connection that was closed because the machine was late: then it is asked again."""
    end = now() + seconds
    while True:
        try:
            answer = await ask_once(address, ask.encode("probe", {}), seconds=seconds)
        except (BrokenError, OSError) as error:
            if now() > end:
                return type(error).__name__
            await asyncio.sleep(POLL_SECONDS)
            continue
        if answer.status == 200:
            return read_reply(answer).version
        refusal = honest_refusal(answer)
        if refusal not in BUSY or now() > end:
            return f"status {answer.status} {refusal}".rstrip()
        await asyncio.sleep(POLL_SECONDS)
