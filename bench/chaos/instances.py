"""Instances of the service as they are deployed: processes of their own, with a log, started and stopped by signals."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.chaos.bundles import ModelsFolder
from bench.chaos.clock import now
from bench.chaos.log_pipe import LogPipe
from bench.chaos.wire import BrokenError, ask_once, encode
from bench.client import Address
from bench.process import ROOT, SERVICE, family, free_port
from service.settings import variables

START_SECONDS = 300.0  # a second or two on an idle machine
DRAIN_SECONDS, DRAIN_TIMEOUT_SECONDS, BODY_TIMEOUT_SECONDS = 3.0, 30.0, 4.0
POLL_SECONDS, HEALTH_SECONDS = 0.05, 30.0
Sample = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]  # (name, labels) -> value


@dataclass(slots=True, kw_only=True, eq=False)
class Life:
    """One run of an instance, from its start to its end."""

    process: asyncio.subprocess.Process
    log: Path
    pipe: LogPipe
    started_at: float
    ended_at: float = float("inf")
    exit_code: int | None = None
    scraped_at: float = 0.0  # when the last sample was asked for
    sample: Sample = field(default_factory=dict)
    pids: set[int] = field(default_factory=set)  # every process that was ever seen


class Instance:
    """One of those behind the proxy; it has one life at a time."""

    def __init__(self, name: str, *, models: ModelsFolder, logs: Path, workers: int, threads: int | None) -> None:
        self.name = name
        self.address = Address(host="127.0.0.1", port=free_port())
        self.models = models
        self.num_workers = workers
        self.lives: list[Life] = []
        self._logs = logs
        self._environment = _environment(self.address, models.folder, workers=self.num_workers, threads=threads)

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def pid(self) -> int:
        return self.life.process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that answer; without a supervisor the one there is."""
        children = family(self.pid)[1:]
        self.life.pids.update(children)
        return children if self.num_workers > 1 else [self.pid]

    async def start(self) -> None:
        """Ready when it returns. Raises RuntimeError if it does not come to that."""
        log = self._logs / f"{self.name}-{len(self.lives)}.log"
        pipe = LogPipe(log)
        process = await asyncio.create_subprocess_exec(
            *SERVICE,
            cwd=ROOT,
            env=self._environment,
            stdout=pipe.writing,
            stderr=pipe.writing,
        )
        pipe.started()
        self.lives.append(Life(process=process, log=log, pipe=pipe, started_at=now(), pids={process.pid}))
        try:
            async with asyncio.timeout(START_SECONDS):
                await self.ready()
        except TimeoutError:
            raise RuntimeError(f"{self.name} was not ready within {START_SECONDS:.0f} s; see {log}") from None

    async def ready(self) -> None:
        """Wait until all its workers are there and it says that it is ready."""
        while await self.health() != 200 or len(self.workers) < self.num_workers:
            if self.life.process.returncode is not None:
                raise RuntimeError(f"{self.name} ended with {self.life.process.returncode}; see {self.life.log}")
            await asyncio.sleep(POLL_SECONDS)

    async def health(self) -> int:
        """The status of ``/health/ready``, 0 if nobody answers."""
        try:
            return (await ask_once(self.address, encode("GET", "/health/ready"), seconds=HEALTH_SECONDS)).status
        except (BrokenError, OSError):
            return 0

    async def scrape(self) -> Sample:
        asked_at = now()
        answer = await ask_once(self.address, encode("GET", "/metrics"))
        families = text_string_to_metric_families(answer.body.decode())
        self.life.scraped_at = asked_at
        self.life.sample = {
            (each.name, tuple(sorted(each.labels.items()))): each.value for kind in families for each in kind.samples
        }
        return self.life.sample

    def send(self, number: signal.Signals) -> None:
        self.life.process.send_signal(number)

    async def stop(self) -> int:
        """SIGTERM, and wait for the end. Raises TimeoutError."""
        _ = self.workers  # the last look at who there is
        self.send(signal.SIGTERM)
        return await self.ended(DRAIN_SECONDS + DRAIN_TIMEOUT_SECONDS + 10.0)

    async def ended(self, seconds: float) -> int:
        async with asyncio.timeout(seconds):
            self.life.exit_code = await self.life.process.wait()
        self.life.ended_at = now()
        await asyncio.to_thread(self.life.pipe.finish)
        return self.life.exit_code

    async def destroy(self) -> None:
        """Whatever is left of it, at the end of a run."""
        if not self.lives or self.life.process.returncode is not None:
            return
        for pid in reversed(family(self.pid)):
            os.kill(pid, signal.SIGKILL)
        await self.life.process.wait()


def _environment(address: Address, models: Path, *, workers: int, threads: int | None) -> dict[str, str]:
    wanted = {
        "RIBBON_HOST": address.host,
        "RIBBON_PORT": str(address.port),
        "RIBBON_MODELS_DIR": str(models.resolve()),
        "RIBBON_DEVICE": "cpu",
        "RIBBON_PRECISION": "fp32",  # answers are the same to the byte, whatever the neighbours
        "RIBBON_WORKERS": str(workers),
        "RIBBON_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "RIBBON_DRAIN_TIMEOUT_SECONDS": str(DRAIN_TIMEOUT_SECONDS),
        "RIBBON_BODY_TIMEOUT_SECONDS": str(BODY_TIMEOUT_SECONDS),
        "RIBBON_TRUSTED_PROXIES": "127.0.0.1",
        **({"RIBBON_THREADS": str(threads)} if threads else {}),
    }
    known = {name: value for name, value in wanted.items() if name in variables()}
    return {name: value for name, value in os.environ.items() if not name.startswith("RIBBON_")} | known
