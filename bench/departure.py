"""Measure callers who send a request and vanish, ten thousand times: ``python -m bench.departure``.

Each opens a connection, sends a request to any of the task routes, stays for some milliseconds and closes, half of them
with a reset. Afterwards every gauge must be 0 again, descriptors and threads as many as before, and memory must not
have grown with the storm. The cost of watching for departures is measured apart, as processor time a request, beside
the cost of a request at saturation: the worst case, in which every request is watched.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import re
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from litestar.types import Receive

from bench.client import Address, Connection, Request, encode_request, saturate, text_request
from bench.process import ROOT, ServiceProcess
from service.api.context import WATCH_AFTER_SECONDS, watching_for_disconnect

MAX_OPEN = 200
MAX_STAY_SECONDS = 0.15
SETTLE_SECONDS = 60.0
GAUGES = ("ribbon_queue_rows", "ribbon_queue_cells", "ribbon_queue_oldest_age_seconds", "ribbon_decoder_live_rows")
IN_FLIGHT = "ribbon_requests_in_flight"  # the scrape itself is one
SENTENCES = Path(__file__).with_name("sentences.txt")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no goodbye


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of the service's process."""

    gauges: dict[str, float]
    megabytes: float
    descriptors: int
    threads: int

    @property
    def is_at_rest(self) -> bool:
        return all(self.gauges[name] == 0 for name in GAUGES) and self.gauges[IN_FLIGHT] == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Departures:
    """A storm and what it left behind."""

    number: int
    seconds: float
    seconds_to_rest: float
    before: State  # after a first, smaller storm: what is allocated once is there
    after: State


def requests_for_storm(draw: random.Random, number: int = 200) -> list[Request]:
    """To every route, single and many."""
    lines = SENTENCES.read_text("utf-8").splitlines()
    routes = (("/tag", {}), ("/classify", {}), ("/translate", {"target": "es"}))
    made = []
    for _ in range(number):
        path, wishes = draw.choice(routes)
        texts = draw.sample(lines, draw.choice((1, 1, 4, 16)))
        made.append(text_request(path, texts, num_words=1, wishes=wishes))
    return made


def vanish(address: Address, requests: Sequence[Request], number: int, draw: random.Random) -> float:
    """So many callers, MAX_OPEN at once. The seconds it took."""
    began_at = time.perf_counter()
    staying: list[tuple[float, int, socket.socket]] = []
    for count in range(number):
        while len(staying) >= MAX_OPEN:
            _leave(heapq.heappop(staying))
        caller = socket.create_connection((address.host, address.port), timeout=30)
        if count % 2:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        caller.sendall(draw.choice(requests).content)
        heapq.heappush(staying, (time.perf_counter() + draw.uniform(0, MAX_STAY_SECONDS), count, caller))
    while staying:
        _leave(heapq.heappop(staying))
    return time.perf_counter() - began_at


def _leave(caller: tuple[float, int, socket.socket]) -> None:
    time.sleep(max(0.0, caller[0] - time.perf_counter()))
    caller[2].close()


def state_of(service: ServiceProcess) -> State:
    with Connection(service.address) as connection:
        text = connection.ask(encode_request("GET", "/metrics")).body.decode()
    found = {name: float(value) for name, value in re.findall(r"^(ribbon_\w+) (\S+)$", text, re.MULTILINE)}
    process = Path(f"/proc/{service.pid}")
    return State(
        gauges={name: found[name] for name in (*GAUGES, IN_FLIGHT)},
        megabytes=service.resident_megabytes,
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
    )


def rest(service: ServiceProcess) -> tuple[State, float]:
    """Once nothing is under way any more, and how long that took. Raises TimeoutError."""
    began_at = time.perf_counter()
    while not (state := state_of(service)).is_at_rest:
        if time.perf_counter() - began_at > SETTLE_SECONDS:
            raise TimeoutError(f"{SETTLE_SECONDS:.0f} s after the storm: {state.gauges}")
        time.sleep(0.05)
    return state, time.perf_counter() - began_at


def measure_departures(service: ServiceProcess, number: int) -> Departures:
    draw = random.Random(1)
    requests = requests_for_storm(draw)
    vanish(service.address, requests, max(MAX_OPEN, number // 5), draw)
    before, _ = rest(service)
    seconds = vanish(service.address, requests, number, draw)
    after, seconds_to_rest = rest(service)
    return Departures(number=number, seconds=seconds, seconds_to_rest=seconds_to_rest, before=before, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor time of one request, in microseconds."""

    watch: float  # of one that is watched, more than of one that is not
    request: float  # at saturation

    @property
    def share(self) -> float:
        return self.watch / self.request


def measure_cost(service: ServiceProcess, *, rounds: int = 5, seconds: float = 3.0) -> Cost:
    """Measure the cost of watching, with and without in turns, in this process; then the service's whole cost of a
    single sentence."""
    extra = [
        asyncio.run(_seconds_each(is_watched=True)) - asyncio.run(_seconds_each(is_watched=False))
        for _ in range(rounds)
    ]
    single = [each for each in requests_for_storm(random.Random(2)) if each.num_items == 1]
    requests = [each for each in single if b"/tag" in each.content]
    before = service.cpu_seconds
    load = saturate(service.address, requests, num_connections=64, warm_up_seconds=0, seconds=seconds)
    return Cost(watch=1e6 * sorted(extra)[rounds // 2], request=1e6 * (service.cpu_seconds - before) / load.num_answers)


async def _seconds_each(*, is_watched: bool, number: int = 2000) -> float:
    """Processor seconds of one of many that wait for twice as long as it takes until a watch begins."""

    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def wait(watch: AbstractContextManager[None]) -> None:
        with watch:
            await asyncio.sleep(2 * WATCH_AFTER_SECONDS)

    patient: Receive = receive  # type: ignore[assignment]
    began_at = time.process_time()
    await asyncio.gather(
        *(wait(watching_for_disconnect(patient, lambda: None) if is_watched else nullcontext()) for _ in range(number))
    )
    return (time.process_time() - began_at) / number


def print_departures(found: Departures) -> None:
    print(f"{found.number:,} callers left within {found.seconds:.1f} s; at rest {found.seconds_to_rest:.2f} s later")
    for name in ("megabytes", "descriptors", "threads"):
        print(f"  {name:<12} {getattr(found.before, name):>8.0f} -> {getattr(found.after, name):.0f}")
    print(f"  gauges       {found.after.gauges}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0 if nothing was left behind."""
    parser = argparse.ArgumentParser(prog="python -m bench.departure", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--number", type=int, default=10_000, help="callers who vanish")
    parsed = parser.parse_args(arguments)
    with ServiceProcess(models_dir=parsed.models_dir) as service:
        found = measure_departures(service, parsed.number)
        print_departures(found)
        cost = measure_cost(service)
    print(f"a watch takes {cost.watch:.0f} us of processor time, a request {cost.request:.0f}: {cost.share:.1%}")
    print(asdict(cost))
    leaks = found.after.descriptors > found.before.descriptors + 2 or found.after.threads > found.before.threads
    return 1 if leaks or found.after.megabytes > 1.1 * found.before.megabytes else 0


if __name__ == "__main__":
    sys.exit(main())
