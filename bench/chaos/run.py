"""One run, from the first process to the last."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.asks import Ask, Reply, make_asks, pinned_asks, record
from bench.chaos.bundles import ModelsFolder
from bench.chaos.clients import Clients, Target
from bench.chaos.clock import now
from bench.chaos.instances import Instance
from bench.chaos.proxy import SERVERS, Proxy
from bench.chaos.reloading import back_to_the_first, reload_all
from bench.chaos.resources import Holdings, compare, zombies
from bench.chaos.schedule import Schedule
from bench.chaos.stage import Stage
from bench.chaos.troubles import unleash
from bench.chaos.verdict import PROXY_TARGET, Reason, judge, judge_counters, judge_gauges, judge_logs, settle
from bench.process import ROOT
from service.bundle import load_bundle

MODELS = ("en-sentiment", "en-tagger", "en-es", "en-de", "en-fr")
SHARE_BY_PROXY = 0.7  # of requests; the others go straight to an instance, where no proxy mends what goes wrong
NUM_SATURATING, SATURATE_SECONDS, WARM_UP_SECONDS = 12, 6.0, 8.0
QUIET_SECONDS = 20.0  # at most, until all connections are closed and gauges have fallen


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run."""

    seconds: float
    seed: int
    workers: int
    threads: int | None
    share: float  # of capacity
    with_proxy: bool
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything a report is made of."""

    stage: Stage
    started: float
    capacity: float
    before: Sequence[Holdings]
    after: Sequence[Holdings]
    reasons: Sequence[Reason]
    machine: Mapping[str, float]  # how it kept up


async def run(options: Options, schedule: Schedule) -> Outcome:
    """Raises RuntimeError if it cannot even begin."""
    async with set_up(options) as stage:
        capacity = await warm_up(stage, options.share)
        before = await rest(stage)
        started = now()
        beating = asyncio.create_task(stage.pulse.beating())
        await make_trouble(stage, schedule)
        beating.cancel()
        if stage.proxy:
            await stage.proxy.stop()  # and with it its checks and the connections it keeps for later
        after = await rest(stage, before)
        reasons = await conclude(stage, before, after)
        return Outcome(
            stage=stage,
            started=started,
            capacity=capacity,
            before=before,
            after=after,
            reasons=reasons,
            machine=stage.pulse.read(),
        )


@contextlib.asynccontextmanager
async def set_up(options: Options) -> AsyncIterator[Stage]:
    """Instances, the proxy and the right answers; nothing is left of them afterwards but logs."""
    shutil.rmtree(options.folder, ignore_errors=True)
    instances = {name: make_instance(name, options) for name in SERVERS}
    proxy = None
    try:
        for instance in instances.values():
            await instance.start()
        if options.with_proxy:
            proxy = Proxy(options.folder, {name: each.address for name, each in instances.items()})
            await proxy.start()
        yield await make_stage(instances, proxy, options.seed)
    finally:
        if proxy:
            await proxy.stop()
        for instance in instances.values():
            await instance.destroy()


def make_instance(name: str, options: Options) -> Instance:
    models = ModelsFolder.of({model: ROOT / "models" / model for model in MODELS}, options.folder / name)
    return Instance(name, models=models, logs=options.folder, workers=options.workers, threads=options.threads)


async def make_stage(instances: Mapping[str, Instance], proxy: Proxy | None, seed: int) -> Stage:
    share_each = (1 - SHARE_BY_PROXY) / len(instances)
    targets = {name: Target(name=name, address=each.address, weight=share_each) for name, each in instances.items()}
    if proxy:
        targets[PROXY_TARGET] = Target(name=PROXY_TARGET, address=proxy.address, weight=SHARE_BY_PROXY)
    right = await record_everywhere(list(instances.values()))
    clients = Clients(list(targets.values()), right, seed=seed)
    shipped = shipped_versions()
    versions = {(name, model): (shipped[model], 0.0) for name in instances for model in MODELS}
    return Stage(instances=instances, proxy=proxy, targets=targets, clients=clients, shipped=shipped, versions=versions)


def shipped_versions() -> dict[str, str]:
    return {model: load_bundle(ROOT / "models" / model).manifest.version for model in MODELS}


async def record_everywhere(instances: Sequence[Instance]) -> dict[Ask, Reply]:
    """Raises RuntimeError if two instances do not answer alike, byte for byte."""
    asks = [*make_asks(), *pinned_asks(shipped_versions()["en-tagger"])]
    first, *others = [await record(each.address, asks) for each in instances]
    for other in others:
        if different := [ask.name for ask in asks if first[ask] != other[ask]]:
            raise RuntimeError(f"two instances answer differently when nothing else happens: {different}")
    return first


async def warm_up(stage: Stage, share: float) -> float:
    """Finds the capacity, in requests a second, and sets the load; then reloads all models."""
    capacity = await stage.clients.saturate(NUM_SATURATING, seconds=SATURATE_SECONDS)
    stage.rate = share * capacity
    await stage.clients.pace(stage.rate, seconds=WARM_UP_SECONDS)
    await stage.clients.finish()
    await reload_all(stage)
    return capacity


async def make_trouble(stage: Stage, schedule: Schedule) -> None:
    """Under load, until the last trouble is over, the models are those of the beginning and all answers are there."""
    load = asyncio.create_task(stage.clients.pace(stage.rate))
    try:
        await unleash(stage, schedule)
        await back_to_the_first(stage)
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        await stage.clients.finish()


async def rest(stage: Stage, before: Sequence[Holdings] = ()) -> list[Holdings]:
    """The resources of all processes at rest.

    Waits until nobody is connected any more and all gauges are back, or until the time for it is over (a proxy keeps
    some connections). The processes have the same time to give back resources that they did not hold ``before``.
    """
    end = now() + QUIET_SECONDS
    while True:
        held = stage.holdings()
        for instance in stage.instances.values():
            await instance.scrape()
        is_busy = any(each.connections for each in held) or any(map(judge_gauges, stage.instances.values()))
        if not (is_busy or (before and compare(before, held))) or now() > end:
            return held
        await asyncio.sleep(1.0)


async def conclude(stage: Stage, before: Sequence[Holdings], after: Sequence[Holdings]) -> list[Reason]:
    """Stop everything, then judge."""
    reasons = [Reason(of="everything is back to where it was", what=what) for what in compare(before, after)]
    for instance in stage.instances.values():
        reasons += judge_gauges(instance)
        if zombie_pids := zombies([held.pid for held in after]):
            reasons.append(Reason(of="no zombies", what=f"{zombie_pids}"))
        reasons += await end(instance)
    settle(stage, stage.proxy.passages() if stage.proxy else {})
    entries = stage.clients.entries
    reasons += judge(stage)
    for instance in stage.instances.values():
        reasons += judge_counters(instance, entries)
        reasons += judge_logs(instance, entries, stage, texts_of(make_asks()))
    return reasons


async def end(instance: Instance) -> list[Reason]:
    """SIGTERM to an idle instance: 0, and none of its processes is left."""
    try:
        code = await instance.stop()
    except TimeoutError:
        return [Reason(of="it ends when told to", what=f"{instance.name} did not")]
    left = [pid for life in instance.lives for pid in life.pids if is_ours(pid)]
    reasons = [Reason(of="no process is left", what=f"{instance.name}: {pid}") for pid in left]
    return reasons + ([Reason(of="it ends with 0", what=f"{instance.name}: {code}")] if code else [])


def is_ours(pid: int) -> bool:
    """Whether this process is there and is one of the service's: numbers are given again."""
    try:
        return b"service" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False


def texts_of(asks: Sequence[Ask]) -> list[str]:
    """Pieces of callers' texts that would stand in a log as they are."""
    return [ask.body[12:60].decode(errors="ignore") for ask in asks if ask.body[12:60].isascii() and len(ask.body) > 80]
