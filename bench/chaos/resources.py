"""The resources of a process, read from ``/proc``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.process import family

ESTABLISHED, CLOSE_WAIT = "01", "08"  # of /proc/net/tcp
MEMORY_TOLERANCE, MEMORY_SLACK_MB = 1.10, 8.0
DESCRIPTOR_TOLERANCE, THREAD_TOLERANCE = 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The resources of one process. ``descriptors`` are those that are no connection."""

    instance: str
    role: str  # main: the one that was started; worker: one of its children
    pid: int
    resident_mb: float
    proportional_mb: float  # pages shared by n processes count 1/n in each
    descriptors: int
    connections: int
    abandoned: int  # connections that the other side has closed and this one has not
    threads: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def holdings_of(instance: str, pid: int) -> list[Holdings]:
    """The resources of a process and all its descendants."""
    return [
        held for each in family(pid) if (held := _holdings(instance, each, role="main" if each == pid else "worker"))
    ]


def _holdings(instance: str, pid: int, *, role: str) -> Holdings | None:
    """Nothing if it has ended meanwhile."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        links = list(_links(pid))
        states = Counter(_socket_states(pid, links))
        connections = sum(number for state, number in states.items() if state != "0A")  # listening
        return Holdings(
            instance=instance,
            role=role,
            pid=pid,
            resident_mb=_kilobytes(status, "VmRSS") / 1024,
            proportional_mb=_kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss") / 1024,
            descriptors=len(links) - connections,
            connections=connections,
            abandoned=states[CLOSE_WAIT],
            threads=int(_number(status, "Threads")),
        )
    except (FileNotFoundError, ProcessLookupError):
        return None


def established(pid: int) -> int:
    """Connections that a process has at this moment."""
    return Counter(_socket_states(pid, list(_links(pid))))[ESTABLISHED]


def zombies(pids: Sequence[int]) -> list[int]:
    return [pid for pid in pids if _state(pid) == "Z"]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _links(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(descriptor.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue


def _socket_states(pid: int, links: Sequence[str]) -> Iterator[str]:
    """Of the TCP sockets among them."""
    tables = [Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    by_inode = {fields[9]: fields[3] for table in tables for line in table if (fields := line.split())}
    for link in links:
        if link.startswith("socket:[") and (state := by_inode.get(link[8:-1])):
            yield state


def _kilobytes(status: str, field: str) -> float:
    return float(_number(status, field))


def _number(status: str, field: str) -> str:
    found = re.search(rf"^{field}:\s+(\d+)", status, re.MULTILINE)
    return found[1] if found else "0"


def compare(before: Sequence[Holdings], after: Sequence[Holdings]) -> list[str]:
    """The resources that have grown: each process against the largest of its role at first."""
    reasons = []
    for held in after:
        peers = [each for each in before if each.role == held.role]
        if not peers:
            reasons.append(f"{held.instance}: process {held.pid} ({held.role}) has no like at the beginning")
            continue
        reasons += [f"{held.instance} {held.role} {held.pid}: {excess}" for excess in _excesses(peers, held)]
    return reasons


def _excesses(peers: Sequence[Holdings], held: Holdings) -> Iterator[str]:
    memory = max(peer.resident_mb for peer in peers)
    if held.resident_mb > MEMORY_TOLERANCE * memory + MEMORY_SLACK_MB:
        yield f"{held.resident_mb:.0f} MB resident, {memory:.0f} after the warm-up"
    descriptors = max(peer.descriptors for peer in peers)
    if held.descriptors > descriptors + DESCRIPTOR_TOLERANCE:
        yield f"{held.descriptors} descriptors, {descriptors} after the warm-up"
    threads = max(peer.threads for peer in peers)
    if held.threads > threads + THREAD_TOLERANCE:
        yield f"{held.threads} threads, {threads} after the warm-up"
    if held.connections:
        yield f"{held.connections} connections are held although nobody is there ({held.abandoned} closed by callers)"
