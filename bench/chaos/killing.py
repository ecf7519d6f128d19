"""SIGKILL or SIGSTOP for a worker: only what it held may fail, and it is replaced."""

from __future__ import annotations

import asyncio
import os
import random
import signal

from bench.chaos.clock import now
from bench.chaos.instances import Instance
from bench.chaos.records import Kill
from bench.chaos.resources import established
from bench.chaos.stage import Stage

REPLACED_SECONDS, POLL_SECONDS = 90.0, 0.05


async def kill(stage: Stage, draw: random.Random) -> tuple[str, str]:
    """A worker of one instance; where there is one process only, that one, and it is started again."""
    instance = stage.instances[draw.choice(sorted(stage.instances))]
    pid = draw.choice(sorted(instance.workers))
    fatal = kill_worker if instance.num_workers > 1 else kill_all
    killed = await fatal(stage, instance, pid)
    stage.kills.append(killed)
    stage.explain(instance.name, killed.at)
    seconds = killed.replaced_at - killed.at
    return f"{instance.name} {pid}", f"{killed.connections} connections, replaced after {seconds:.1f} s"


async def stop(stage: Stage, draw: random.Random) -> tuple[str, str]:
    """A worker of one instance that stands still: its supervisor must notice, kill and replace it."""
    instance = stage.instances[draw.choice(sorted(stage.instances))]
    if instance.num_workers == 1:
        return "nobody", "left out: one process has no supervisor"
    pid = draw.choice(sorted(instance.workers))
    hung = await hung_workers(instance)
    os.kill(pid, signal.SIGSTOP)
    stopped = Kill(instance=instance.name, pid=pid, at=now(), connections=0, until=0.0, replaced_at=0.0)
    stopped.connections = established(pid)
    await replaced(stage, instance, pid)
    stopped.until = stopped.replaced_at = now()
    stage.kills.append(stopped)
    stage.explain(instance.name, stopped.at)
    if await hung_workers(instance) != hung + 1:
        stage.faults.append(f"{instance.name}: worker {pid} hung, and ribbon_worker_restarts_total does not say so")
    seconds = stopped.replaced_at - stopped.at
    return f"{instance.name} {pid}", f"{stopped.connections} connections, replaced after {seconds:.1f} s"


async def hung_workers(instance: Instance) -> float:
    """Return how many workers the instance has replaced because they hung."""
    sample = await instance.scrape()
    return sample.get(("ribbon_worker_restarts_total", (("reason", "hung"),)), 0.0)


async def kill_worker(stage: Stage, instance: Instance, pid: int) -> Kill:
    killed = end(instance, pid)
    while pid in instance.workers:  # its connections end with it, which takes a busy machine a second
        await asyncio.sleep(POLL_SECONDS)
    killed.until = now()
    await replaced(stage, instance, pid)
    killed.replaced_at = now()
    return killed


async def replaced(stage: Stage, instance: Instance, pid: int) -> None:
    """Wait until another worker has taken the place of this one."""
    try:
        async with asyncio.timeout(REPLACED_SECONDS):
            while pid in instance.workers or len(instance.workers) < instance.num_workers:
                await asyncio.sleep(POLL_SECONDS)
            await instance.ready()
    except TimeoutError:
        stage.faults.append(f"{instance.name}: worker {pid} was not replaced within {REPLACED_SECONDS:.0f} s")


async def kill_all(stage: Stage, instance: Instance, pid: int) -> Kill:
    """Kill the only process of an instance and start it again, because it has no supervisor that would."""
    stage.targets[instance.name].is_open = False
    await instance.scrape()
    killed = end(instance, pid)
    instance.life.killed = True
    await instance.ended(REPLACED_SECONDS)
    await instance.start()
    if stage.proxy:
        await stage.proxy.up(instance.name)
    stage.targets[instance.name].is_open = True
    killed.until = killed.replaced_at = now()
    return killed


def end(instance: Instance, pid: int) -> Kill:
    """Stopped first, so that its connections can be counted."""
    os.kill(pid, signal.SIGSTOP)
    connections, at = established(pid), now()
    os.kill(pid, signal.SIGKILL)
    return Kill(instance=instance.name, pid=pid, at=at, connections=connections, until=at, replaced_at=at)
