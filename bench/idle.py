"""Measure the idle service, and the memory that the largest requests leave behind: ``python -m bench.idle``.

The figures are the time until it is ready after a start; the share of one core it takes when idle, with no connection
and with many; and its resident memory once it has answered the largest requests that the limits allow, as a multiple of
the warm service's. Every bundle of the folder is loaded.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.client import Connection, encode_request
from bench.machine import this_machine
from bench.process import ROOT, ServiceProcess
from bench.report import print_machine
from service.settings import MAX_BEAM_SIZE, Settings

SENTENCES = ROOT / "bench" / "sentences.txt"
NUM_CONNECTIONS = 100
SETTLE_SECONDS = 2.0  # longer than memory is given back after a long request
LIMITS = Settings()
PATIENCE_SECONDS = 3600
PATIENCE = {"X-Request-Timeout-Ms": str(1000 * PATIENCE_SECONDS)}
BEAM = {
    "target": "de",
    "beam_size": MAX_BEAM_SIZE,
    "num_hypotheses": MAX_BEAM_SIZE,
    "attention": True,
    "truncate": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """A request as large as the limits allow."""

    what: str
    path: str
    text: list[str]
    wishes: Mapping[str, Any] = field(default_factory=lambda: {"truncate": True})


def worst_requests(sentences: Sequence[str]) -> Iterator[Worst]:
    """Each fills the request: many texts, the longest ones, the densest ones."""
    draw = random.Random(1)
    many = [prose(sentences, LIMITS.max_request_length // LIMITS.max_items, draw) for _ in range(LIMITS.max_items)]
    longest = [prose(sentences, LIMITS.max_text_length, draw) for _ in range(2)]
    dense = ["a " * (LIMITS.max_text_length // 2)] * 2
    emoji = ["\U0001f600 " * (LIMITS.max_text_length // 2)] * 2
    for path in ("/tag", "/classify"):
        yield Worst(what="128 texts", path=path, text=many)
        yield Worst(what="the longest", path=path, text=longest)
        yield Worst(what="one letter a word", path=path, text=dense)
        yield Worst(what="emoji", path=path, text=emoji)
    bytes_too = {"truncate": True, "offset_unit": "byte"}
    yield Worst(what="one letter a word, in bytes", path="/tag", text=["é " * 25_000] * 2, wishes=bytes_too)
    yield Worst(what="128 texts, greedy", path="/translate", text=many, wishes={"target": "es", "beam_size": 1})
    yield Worst(what="the longest, greedy", path="/translate", text=longest, wishes={"target": "fr", "beam_size": 1})
    some = [text[:256] for text in many]
    yield Worst(what="128 texts, beam of 16, attention", path="/translate", text=some, wishes=BEAM)
    endless = [" ".join(text.replace(".", "").lower().split()) for text in many]
    yield Worst(what="sentences without end", path="/tag", text=endless)
    yield Worst(what="sentences without end, beam of 16, attention", path="/translate", text=endless, wishes=BEAM)


def prose(sentences: Sequence[str], num_characters: int, draw: random.Random) -> str:
    """Sentences until there is no room for another letter."""
    text = ""
    while len(text) < num_characters:
        text += draw.choice(sentences) + " "
    return text[:num_characters]


def share_of_a_core(service: ServiceProcess, seconds: float) -> float:
    before, started = service.cpu_seconds, time.monotonic()
    time.sleep(seconds)
    return (service.cpu_seconds - before) / (time.monotonic() - started)


def measure_idle(service: ServiceProcess, seconds: float) -> None:
    alone = share_of_a_core(service, seconds)
    with ExitStack() as stack:
        for _ in range(NUM_CONNECTIONS):
            stack.enter_context(Connection(service.address)).ask(encode_request("GET", "/health/live"))
        crowded = share_of_a_core(service, seconds)
    print(
        f"idle: {alone:.2%} of a core; with {NUM_CONNECTIONS} connections that say nothing: {crowded:.2%}", flush=True
    )


def measure_memory(service: ServiceProcess, sentences: Sequence[str], rounds: int) -> float:
    """The most, as a multiple of warm."""
    for path, needed in {"/tag": {}, "/classify": {}, "/translate": {"target": "es"}}.items():
        ask(service, Worst(what="warm", path=path, text=["Nobody knew."], wishes=needed))
    time.sleep(SETTLE_SECONDS)
    warm = service.resident_megabytes
    print(f"warm: {warm:.0f} MiB", flush=True)
    most = 0.0
    for number in range(rounds):
        for worst in worst_requests(sentences):
            seconds = ask(service, worst)
            time.sleep(SETTLE_SECONDS)
            resident = service.resident_megabytes
            most = max(most, resident / warm)
            what = f"{number + 1}. {worst.path} {worst.what}"
            print(f"{what}: {resident:.0f} MiB, {resident / warm:.2f}x, {seconds:.1f} s", flush=True)
    print(f"peak while answering: {service.peak_megabytes:.0f} MiB")
    return most


def ask(service: ServiceProcess, worst: Worst) -> float:
    """Seconds. Raises RuntimeError if it is refused."""
    started = time.monotonic()
    url = f"{service.url}{worst.path}"
    body = {"text": worst.text, **worst.wishes}
    response = httpx.post(url, json=body, headers=PATIENCE, timeout=PATIENCE_SECONDS, trust_env=False)
    if response.status_code != 200:
        raise RuntimeError(f"{worst.path} {worst.what}: {response.text[:500]}")
    return time.monotonic() - started


def start(models_dir: Path) -> ServiceProcess:
    return ServiceProcess(models_dir=models_dir)


def measure_starts(models_dir: Path, rounds: int) -> None:
    waited, worked = [], []
    for _ in range(rounds):
        with start(models_dir) as service:
            waited.append(service.seconds_to_ready)
            worked.append(service.cpu_seconds)
    spread = f"{min(waited):.2f} to {max(waited):.2f}, {statistics.median(worked):.2f} s of CPU time"
    print(f"ready after {statistics.median(waited):.2f} s (median of {rounds}; {spread})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--starts", type=int, default=5, help="how often it is started")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it is left alone")
    parser.add_argument("--rounds", type=int, default=2, help="how often each of the worst requests is sent")
    chosen = parser.parse_args()
    print_machine(this_machine())
    measure_starts(chosen.models_dir, chosen.starts)
    with start(chosen.models_dir) as service:
        time.sleep(SETTLE_SECONDS)
        measure_idle(service, chosen.seconds)
        most = measure_memory(service, SENTENCES.read_text(encoding="utf-8").splitlines(), chosen.rounds)
    print(f"resident after the worst: {most:.2f}x of warm")


if __name__ == "__main__":
    main()
