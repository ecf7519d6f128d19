"""``python -m bench.attacks``: every kind of attack that was found to hurt, replayed against a running service.

It prints a table and returns 1 if a law is broken: each attack has the answer it must have, within the memory it may
take, and the event loop neither pauses for longer than ``--max-pause`` seconds nor works in a pause for longer than
``--max-work`` seconds of its thread's processor time. On a machine with other work a pause says more about that work,
and holds more than one piece of the loop's, so the defaults are lenient; 0.02 for both is what an idle machine holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bench.attacks.kinds import ATTACKS, ROOT_PATH, Attack
from bench.attacks.processes import WORKER_ATTACKS, absurd_manifest, unread_workers
from bench.attacks.victim import Harm, Victim
from bench.client import Address
from bench.process import ROOT, ServiceProcess, free_port

MODELS = ("en-tagger", "en-sentiment", "en-es")
LENIENT_PAUSE_SECONDS, LENIENT_WORK_SECONDS = 1.0, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Outcome of an attack. Memory and pause are 0 where they were not measured."""

    number: int
    attack: str
    peak_megabytes: float
    longest_pause_ms: float
    longest_work_ms: float
    outcome: str
    held: bool


def main() -> int:
    """Replay the attacks; returns 0 if every law was held."""
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="ribbon-attacks-") as folder:
        models_dir = link_models(Path(folder) / "models")
        most = Harm(longest_pause=arguments.max_pause, longest_work=arguments.max_work)
        rows = sorted(replay(models_dir, Path(folder), most), key=lambda row: row.number)
    print_table(rows)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    return 0 if all(row.held for row in rows) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    parser.add_argument("--max-pause", type=float, default=LENIENT_PAUSE_SECONDS, help="of the event loop, in seconds")
    parser.add_argument("--max-work", type=float, default=LENIENT_WORK_SECONDS, help="of the event loop, in seconds")
    parser.add_argument("--output", type=Path, help="write the rows as JSON")
    return parser.parse_args()


def link_models(folder: Path) -> Path:
    """Make a folder of the models that the attacks need."""
    folder.mkdir()
    for name in MODELS:
        (folder / name).symlink_to(ROOT / "models" / name)
    return folder


def replay(models_dir: Path, folder: Path, most: Harm) -> Iterator[Row]:
    """Yield a row for each attack. Those on processes run against a service of their own, before the others: they
    would be felt as pauses."""
    with ThreadPoolExecutor(1) as pool:
        refused = pool.submit(attempt, 5, "absurd manifest", partial(absurd_manifest, models_dir, folder / "absurd"))
        with unread_workers(models_dir) as workers:
            yield refused.result()
            for number, name, attack in WORKER_ATTACKS:
                yield attempt(number, name, partial(attack, workers))
    admin = Address(host="127.0.0.1", port=free_port())
    variables = {"RIBBON_ADMIN_PORT": str(admin.port), "RIBBON_ROOT_PATH": ROOT_PATH, "RIBBON_THREADS": "1"}
    with ServiceProcess(models_dir=models_dir, variables={**variables, "RIBBON_DEVICE": "cpu"}) as service:
        victim = Victim(pid=service.pid, address=service.address, admin=admin)
        for each in ATTACKS:
            yield watched_attempt(victim, each, most)


def attempt(number: int, name: str, attack: Callable[[], str], harm: Harm | None = None) -> Row:
    """Make an attack; whatever it raises breaks a law."""
    try:
        outcome, held = attack(), True
    except Exception as error:
        outcome, held = str(error) or type(error).__name__, False
    harm = harm or Harm()
    return Row(
        number=number,
        attack=name,
        peak_megabytes=harm.peak_megabytes,
        longest_pause_ms=1000 * harm.longest_pause,
        longest_work_ms=1000 * harm.longest_work,
        outcome=outcome,
        held=held,
    )


def watched_attempt(victim: Victim, attack: Attack, most: Harm) -> Row:
    """Make an attack on the main service and hold it to its memory, and to the longest pause and piece of work."""
    with victim.watched() as harm:
        row = attempt(attack.number, attack.name, partial(attack.run, victim))
    broken = [] if row.held else [row.outcome]
    if harm.peak_megabytes > attack.max_megabytes:
        broken.append(f"more than {attack.max_megabytes:.0f} MB")
    if harm.longest_pause > most.longest_pause:
        broken.append(f"a pause of more than {most.longest_pause:g} s")
    if harm.longest_work > most.longest_work:
        broken.append(f"more than {most.longest_work:g} s of the event loop's work at once")
    return Row(
        number=row.number,
        attack=row.attack,
        peak_megabytes=round(harm.peak_megabytes, 1),
        longest_pause_ms=round(1000 * harm.longest_pause, 1),
        longest_work_ms=round(1000 * harm.longest_work, 1),
        outcome="; ".join(broken) or row.outcome,
        held=not broken,
    )


def print_table(rows: Sequence[Row]) -> None:
    heads = ("no.", "attack", "peak MB", "pause ms", "loop ms", "held", "outcome")
    lines = [
        (
            str(row.number),
            row.attack,
            f"{row.peak_megabytes:.1f}" if row.longest_pause_ms else "",
            f"{row.longest_pause_ms:.0f}" if row.longest_pause_ms else "",
            f"{row.longest_work_ms:.1f}" if row.longest_pause_ms else "",
            "yes" if row.held else "NO",
            row.outcome,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(len(heads))]
    for line in [heads, *lines]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    num_broken = sum(not row.held for row in rows)
    print(f"{num_broken} of {len(rows)} laws broken" if num_broken else f"all {len(rows)} laws held")


if __name__ == "__main__":
    sys.exit(main())
