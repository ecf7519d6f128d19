"""Every instance stopped and started again, one after the other, while the load goes on."""

from __future__ import annotations

import asyncio
import random
import signal

from bench.chaos.clock import now
from bench.chaos.instances import DRAIN_SECONDS, DRAIN_TIMEOUT_SECONDS, Instance
from bench.chaos.stage import Stage

UNREADY_SECONDS, POLL_SECONDS = 1.5, 0.05


async def restart_all(stage: Stage, draw: random.Random) -> tuple[str, str]:
    """In an order of chance. Whoever knocks at an instance directly knows of it; the proxy must find out."""
    order = draw.sample(sorted(stage.instances), len(stage.instances))
    async with stage.calm:
        since = now()
        seconds = [await restart(stage, stage.instances[name]) for name in order]
        stage.restarts.append((since, now()))
    return ", ".join(order), "down for " + ", ".join(f"{each:.1f} s" for each in seconds)


async def restart(stage: Stage, instance: Instance) -> float:
    """Restart an instance; returns the seconds from SIGTERM until the proxy trusts it again."""
    target = stage.targets.get(instance.name)
    if target:
        target.is_open = False
    await instance.scrape()
    since = now()
    _ = instance.workers  # the last look at who there is
    instance.send(signal.SIGTERM)
    await _turns_unready(stage, instance)
    await _ends(stage, instance)
    await instance.start()
    if stage.proxy:
        await stage.proxy.up(instance.name)
    if target:
        target.is_open = True
    return now() - since


async def _turns_unready(stage: Stage, instance: Instance) -> None:
    """It must say so while it still listens, or no balancer would know."""
    since = now()
    while (status := await instance.health()) == 200:
        if now() > since + UNREADY_SECONDS + stage.pulse.lag_between(since, now()):
            break
        await asyncio.sleep(POLL_SECONDS)
    has_closed = status == 0 and now() > since + DRAIN_SECONDS  # before a late machine could look
    if status != 503 and not has_closed:
        stage.faults.append(f"{instance.name}: /health/ready said {status or 'nothing'} after SIGTERM, not 503")


async def _ends(stage: Stage, instance: Instance) -> None:
    since = now()
    try:
        code = await instance.ended(DRAIN_SECONDS + DRAIN_TIMEOUT_SECONDS + 10.0)
    except TimeoutError:
        stage.faults.append(f"{instance.name} did not end after SIGTERM")
        await instance.destroy()
        await instance.ended(5.0)
        return
    if code != 0:
        stage.faults.append(f"{instance.name} ended with {code} after SIGTERM")
    if instance.life.ended_at - since < DRAIN_SECONDS - 1.0:
        stage.faults.append(f"{instance.name} ended {instance.life.ended_at - since:.1f} s after SIGTERM: too early")
