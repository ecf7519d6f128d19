"""Functions of ours that one request passes, from socket to answer: ``python -m bench.path``.

The service runs in this process, as ``python -m service`` would; a client on another thread asks for one short text.
Every call of a function that is defined below ``service/`` is recorded, on the event loop and on the threads that run
the models; of several requests the one with the fewest functions counts, since timers may fall into the others. Then
the same request is made as a bare ASGI call, untraced, many times, for the time that it takes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from bench.process import ROOT, free_port
from service.app import create_app
from service.settings import Settings

SERVICE = f"{ROOT / 'service'}{os.sep}"
BODIES = {
    "/tag": {"text": "Alice plays well with others in Paris."},
    "/classify": {"text": "It was not bad at all."},
    "/translate": {"text": "I love this book.", "target": "es"},
}
SETTLE_SECONDS = 0.2  # after an answer, until what it left to do is done
REPEATS = 10
BATCH = 100  # calls timed together
INNER = ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")  # parts of a function: later Pythons inline them


class Recorder:
    """Profile function that notes calls of the service's functions, while ``is_on``."""

    def __init__(self) -> None:
        self.is_on = False
        self.calls: Counter[CodeType] = Counter()

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if self.is_on and event == "call" and frame.f_code.co_filename.startswith(SERVICE):
            self.calls[frame.f_code] += 1

    def take(self) -> dict[str, int]:
        """Return how often each function was called, as ``api/tag.py TagEndpoint.read``, and forget it. A coroutine
        that is resumed counts as another call."""
        calls: Counter[str] = Counter()
        for code, times in self.calls.items():
            if not code.co_name.startswith(INNER):
                calls[f"{code.co_filename.removeprefix(SERVICE)} {code.co_qualname}"] += times
        self.calls.clear()
        return dict(calls)


def post(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("POST", path, json.dumps(BODIES[path]), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {body!r}")


def ask(recorder: Recorder, port: int, path: str, found: list[dict[str, int]]) -> None:
    """Ask the service that is starting in this process, and end it."""
    try:
        connection = connect(port)
        post(connection, path)
        for _ in range(REPEATS):
            time.sleep(SETTLE_SECONDS)
            recorder.is_on = True
            post(connection, path)
            time.sleep(SETTLE_SECONDS / 4)
            recorder.is_on = False
            found.append(recorder.take())
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def connect(port: int) -> http.client.HTTPConnection:
    """Return a connection to the service once it is ready."""
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/health/ready")
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                return connection
        except OSError:
            pass
        connection.close()
        time.sleep(0.1)
    raise RuntimeError("the service is not ready after a minute")


def trace(path: str) -> dict[str, int]:
    """Return the functions that a request passes, and how often."""
    from service.__main__ import main as serve

    recorder, port = Recorder(), free_port()
    found: list[dict[str, int]] = []
    os.environ |= {"RIBBON_PORT": str(port), "RIBBON_WORKERS": "1", "RIBBON_LOG_LEVEL": "warning"}
    client = threading.Thread(target=ask, args=(recorder, port, path, found))
    client.start()
    arguments, sys.argv = sys.argv, sys.argv[:1]
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    try:
        serve()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        sys.argv = arguments
    client.join()
    return min(found, key=len)


async def call(app: Any, path: str, body: bytes) -> float:
    """Return the seconds of one ASGI call."""
    received = iter([{"type": "http.request", "body": body, "more_body": False}])
    never = asyncio.get_running_loop().create_future()
    statuses: list[int] = []

    async def receive() -> Any:
        return next(received, None) or await never

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "state": {},
    }
    began = time.perf_counter()
    await app(scope, receive, send)
    seconds = time.perf_counter() - began
    if statuses != [200]:
        raise RuntimeError(f"{path}: {statuses}")
    return seconds


async def time_calls(path: str, repeats: int) -> tuple[float, float]:
    """Return the seconds of one ASGI call, and the CPU seconds of the event loop's thread for it: the least of many
    calls, and of the means of batches of them, for other processes disturb the rest."""
    app: Any = create_app(Settings.from_environment(os.environ))
    started, ended, told = asyncio.Event(), asyncio.Event(), iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Any:
        kind = next(told)
        if kind == "lifespan.shutdown":
            await ended.wait()
        return {"type": kind}

    async def send(message: Any) -> None:
        started.set()

    lifespan = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    await started.wait()
    body = json.dumps(BODIES[path]).encode()
    for _ in range(600):
        try:
            await call(app, path, body)
            break
        except RuntimeError:
            await asyncio.sleep(0.1)
    seconds, cpu_seconds = [], []
    for _ in range(max(1, repeats // BATCH)):
        began = time.thread_time()
        seconds += [await call(app, path, body) for _ in range(BATCH)]
        cpu_seconds.append((time.thread_time() - began) / BATCH)
    ended.set()
    await lifespan
    return min(seconds), min(cpu_seconds)


def print_path(calls: dict[str, int], *, is_long: bool) -> None:
    files = Counter(function.partition(" ")[0] for function in calls)
    rooms = Counter(function.partition(" ")[0].partition("/")[0] for function in calls)
    print(f"{len(calls)} functions in {len(files)} files, {sum(calls.values())} calls")
    print("by room: " + ", ".join(f"{room} {number}" for room, number in rooms.most_common()))
    for file in sorted(files):
        print(f"  {file}: {files[file]}")
        if is_long:
            for function, times in sorted(calls.items()):
                if function.startswith(f"{file} "):
                    print(f"    {function.partition(' ')[2]}" + (f" x{times}" if times > 1 else ""))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.path", description=__doc__)
    parser.add_argument("--route", choices=sorted(BODIES), default="/tag")
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--functions", action="store_true", help="name every function, not the files alone")
    parser.add_argument("--calls", type=int, default=2000, help="untraced ASGI calls to time; 0 for none")
    options = parser.parse_args(arguments)
    os.environ |= {"RIBBON_MODELS_DIR": str(options.models_dir)}
    if options.calls:
        seconds, cpu_seconds = asyncio.run(time_calls(options.route, options.calls))
        print(f"one ASGI call: {1e6 * seconds:.0f} µs, {1e6 * cpu_seconds:.0f} µs of them CPU time of the event loop")
    print_path(trace(options.route), is_long=options.functions)


if __name__ == "__main__":
    main()
