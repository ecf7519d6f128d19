"""Servers of the comparison, and how each is started: this service, a checkout of it, and the peers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Address, Connection, Request
from bench.process import ROOT, Program, family, free_port, memory_of

PACKAGES = ROOT / "runs" / "peers"  # what requirements.txt names, beside the service's own packages
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
START_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Server of the comparison, and the program and settings it is started with."""

    name: str
    module: str
    root: Path = ROOT  # the checkout that it runs from
    variables: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, str] = field(default_factory=dict)  # where requests hold 32 sentences


def ribbon(name: str, root: Path, variables: Mapping[str, str]) -> Server:
    """Make this service, of any checkout, as a server of the comparison."""
    return Server(name=name, module="service", root=root, variables=variables)


PEERS = {
    each.name: each
    for each in (
        Server(
            name="mosec",
            module="bench.peers.mosec_server",
            variables={"PEER_QUEUE": "256"},  # set by hand: without it nearly all answers are late under overload
            many={"PEER_MAX_BATCH": "8"},
        ),
        Server(name="fastapi", module="bench.peers.fastapi_batcher", variables={"PEER_QUEUE": "120"}),
    )
}


def install_packages() -> None:
    """Install the peers' packages into a folder of their own, if they are not there: no package of the service's
    changes its version."""
    stamp = PACKAGES / ".installed"
    if stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text():
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(PACKAGES)]
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
    stamp.write_text(REQUIREMENTS.read_text())


class Running(Program):
    """A server's processes, answering a request of its task inside of its context."""

    def __init__(self, server: Server, task: str, models_dir: Path, request: Request, more: Mapping[str, str]) -> None:
        self.address = Address(host="127.0.0.1", port=free_port())
        self._request = request
        port, models = str(self.address.port), str(models_dir.resolve())
        path = os.pathsep.join([str(server.root), str(PACKAGES)])
        own = {"RIBBON_HOST": "127.0.0.1", "RIBBON_PORT": port, "RIBBON_MODELS_DIR": models}
        peer = {"PEER_PORT": port, "PEER_MODELS": models, "PEER_TASK": task, "PEER_WORKERS": str(os.cpu_count() or 1)}
        environment = (
            os.environ
            | own
            | peer
            | {
                "PYTHONPATH": path,
                "PYTHONUSERBASE": str(PACKAGES),  # where mosec looks for its program
                "OMP_NUM_THREADS": "1",
            }
        )
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it makes every start slow
        super().__init__(
            command=[sys.executable, "-m", server.module],
            ready=f"http://{self.address}",
            environment={**environment, **server.variables, **more},
            cwd=server.root,
            seconds=START_SECONDS,
        )

    def is_ready(self) -> bool:
        """Whether it has answered the request."""
        with suppress(OSError), Connection(self.address) as connection:
            return connection.ask(self._request.content).status == 200
        return False

    def stop(self) -> None:
        """End it, and the children that a peer may leave behind."""
        processes = self.processes
        super().stop()
        for process in processes:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)

    @property
    def processes(self) -> list[int]:
        """Ids of the server's process and of all that it started."""
        return family(self.pid)

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far by all of their threads, to the nanosecond."""
        files = [file for each in self.processes for file in Path(f"/proc/{each}/task").glob("*/schedstat")]
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9

    @property
    def memory(self) -> float:
        """Proportional set size of all of them, in MiB."""
        return sum(memory_of(each, "Pss") for each in self.processes)
