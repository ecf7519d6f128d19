"""HAProxy with the very configuration that is shipped, and its own account of every request."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.client import Address
from bench.process import DEPLOY, free_port
from bench.programs import found, path_of

CONFIGURATION = DEPLOY / "haproxy" / "haproxy.cfg"
UP_SECONDS, POLL_SECONDS = 90.0, 0.1
SERVERS = ("a", "b")


def is_installed() -> bool:
    return found("haproxy") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The proxy's record of a request."""

    server: str  # that dealt with it last
    state: str  # how it ended; "--" is well
    retries: int


class Proxy:
    """In front of instances called ``a`` and ``b``."""

    def __init__(self, folder: Path, instances: Mapping[str, Address]) -> None:
        self.address = Address(host="127.0.0.1", port=free_port())
        self._log = folder / "haproxy.log"
        self._socket = folder.resolve() / "haproxy.sock"
        self._extra = folder / "stats.cfg"
        self._extra.write_text(f"global\n    stats socket {self._socket} level operator\n", encoding="utf-8")
        self._environment = os.environ | {
            "BIND": str(self.address),
            **{f"INSTANCE_{name.upper()}": str(address) for name, address in instances.items()},
        }

    async def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(path_of("haproxy"), "-db", "-f", str(CONFIGURATION), "-f", str(self._extra)),
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        for server in SERVERS:
            await self.up(server)

    async def up(self, server: str) -> None:
        """Wait until requests are sent to this one. Raises TimeoutError, or RuntimeError if it has ended."""
        async with asyncio.timeout(UP_SECONDS):
            while not (await self.status(server)).startswith("UP"):
                if self._process.returncode is not None:
                    raise RuntimeError(f"HAProxy ended with {self._process.returncode}; see {self._log}")
                await asyncio.sleep(POLL_SECONDS)

    async def status(self, server: str) -> str:
        """The status of a server in the view of the proxy: UP, DOWN and so on."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            return "no proxy"
        writer.write(b"show stat\n")
        table = (await reader.read()).decode().removeprefix("# ")
        writer.close()
        rows = csv.DictReader(table.splitlines())
        return next((row["status"] for row in rows if row["svname"] == server), "unknown")

    def passages(self) -> dict[str, Passage]:
        """By request id."""
        return read_passages(self._log.read_text("utf-8", errors="replace").splitlines())

    def faults(self) -> list[str]:
        """The alerts in the proxy's log, except about servers that come and go."""
        lines = self._log.read_text("utf-8", errors="replace").splitlines()
        return [line for line in lines if re.search(r"\b(ALERT|alert|emerg|crit)\b", line) and "no server" not in line]

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


def read_passages(lines: Sequence[str]) -> dict[str, Passage]:
    """The records of requests among the lines of the proxy's log."""
    passages = {}
    for line in lines:
        if line.startswith('{"id"'):
            fields = json.loads(line)
            retries = int(fields["retries"].lstrip("+"))
            passages[fields["id"]] = Passage(server=fields["server"], state=fields["state"], retries=retries)
    return passages
