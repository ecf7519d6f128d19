"""CPU time of a request by stage: ``python -m bench.stages``.

The service runs in this process with one worker, as ``python -m service`` would, and a client in another process keeps
its connections busy with single sentences. After every millisecond of CPU time each thread's CPU clock is read, and the
time since then is charged to the stage of the innermost frame of a file that is named in ``STAGES``. What belongs to no
such frame is uvloop's own, or a thread's that waits for work. A thread that has just computed a graph is found where it
waits for the interpreter's lock or for the next batch, so that the model's stages are good for their sum only.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from types import FrameType

from bench.client import Address, Request, saturate
from bench.model import choose, open_model
from bench.path import connect
from bench.process import ROOT, free_port
from bench.workload import requests_of, sentences_for

TASKS = {"/tag": "en-tagger", "/classify": "en-sentiment"}
INTERVAL_SECONDS = 0.001
WARM_UP_SECONDS = 1.0
# Path of a file, below the project or in a package's folder, and the stage that its time is charged to; the first that
# is a part of the frame's file counts. Every body here is good, and every answer JSON: what explains bad bodies, in
# validation.py, and what writes other formats, in tag.py, never runs.
STAGES: Mapping[str, str] = {
    "service/serving/": "connection and HTTP",
    "/uvicorn/": "connection and HTTP",
    "/litestar/": "routing by Litestar",
    "service/api/body.py": "body to request",
    "service/api/answers": "answer",
    "service/api/validation": "checks",
    "service/api/endpoint": "checks",
    "service/api/tag.py": "checks",
    "service/api/classify": "checks",
    "service/models/": "checks",
    "service/lifecycle": "checks",
    "service/api/": "context, limits, headers",
    "service/app.py": "context, limits, headers",
    "service/text/spans": "decoding",
    "service/text/": "words and ids",
    "service/runtime/": "graph",
    "service/scheduling/": "queue and batches",
    "service/metrics": "metrics, log, trace",
    "service/logs": "metrics, log, trace",
    "service/telemetry": "metrics, log, trace",
    "/prometheus_client/": "metrics, log, trace",
    "/logging/": "metrics, log, trace",
}
# Functions whose stage is not that of their file.
FUNCTIONS: Mapping[str, str] = {
    "Tagger.encode": "words and ids",
    "Classifier.encode": "words and ids",
    "Classifier._ids_of": "words and ids",
    "RequestLog.record": "metrics, log, trace",
    "log_fields": "metrics, log, trace",
    "TaskEndpoint._write": "answer",
    "TaskEndpoint.write": "answer",
    "TagEndpoint.write": "answer",
}
PREDICTORS = "decoding"  # what else of service/predictors runs for a request
REST = "waits, wake-ups, system calls"


class StageSampler:
    """Signal handler that charges the CPU time of each thread to stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, float]] = {}  # of stages, by kind of thread
        self._clocks: dict[int, int] = {}
        self._read: dict[int, float] = {}

    def start(self) -> None:
        """Begin to sample."""
        self.seconds.clear()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self) -> None:
        """End sampling."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, number: int, frame: FrameType | None) -> None:
        frames = sys._current_frames()
        for thread in threading.enumerate():
            if thread.ident is None or thread.ident not in frames:
                continue
            clock = self._clocks.get(thread.ident)
            if clock is None:
                clock = self._clocks[thread.ident] = time.pthread_getcpuclockid(thread.ident)
            now = time.clock_gettime(clock)
            at = frame if thread is threading.main_thread() else frames[thread.ident]
            used = now - self._read.get(thread.ident, now)
            stages = self.seconds.setdefault(kind_of(thread), defaultdict(float))
            stages[stage_of(at)] += used
            self._read[thread.ident] = now


def kind_of(thread: threading.Thread) -> str:
    if thread is threading.main_thread():
        return "event loop"
    return "models" if thread.name.startswith("run") else "others"


def stage_of(frame: FrameType | None) -> str:
    """Return the stage of the innermost frame that has one."""
    while frame is not None:
        code = frame.f_code
        if found := FUNCTIONS.get(code.co_qualname):
            return found
        if "service/predictors/" in code.co_filename:
            return PREDICTORS
        for part, stage in STAGES.items():
            if part in code.co_filename and "/bench/" not in code.co_filename:
                return stage if code.co_name != "<module>" else REST
        frame = frame.f_back
    return REST


def ask(path: str, port: int, seconds: float, models_dir: Path, connections: int) -> None:
    """Keep the service busy; prints when the warm-up is over, and how many answers came afterwards."""
    model = open_model(choose(models_dir, name=TASKS[path])[0])
    requests: Sequence[Request] = requests_of(
        model, [text for text in sentences_for(model).texts if text.rows], num_items=1
    )
    address = Address(host="127.0.0.1", port=port)
    saturate(address, requests, num_connections=connections, warm_up_seconds=0.0, seconds=WARM_UP_SECONDS)
    print("warm", flush=True)
    load = saturate(address, requests, num_connections=connections, warm_up_seconds=0.0, seconds=seconds)
    print(load.num_answers, flush=True)


def watch(arguments: Sequence[str], port: int, sampler: StageSampler, answers: list[int]) -> None:
    """Start the client once the service is ready, sample while it asks, and end the service."""
    try:
        connect(port).close()
        command = [sys.executable, "-m", "bench.stages", *arguments, "--ask", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            client.stdout.readline()
            os.kill(os.getpid(), signal.SIGUSR1)
            answers.append(int(client.stdout.readline()))
            sampler.stop()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def measure(arguments: Sequence[str]) -> tuple[StageSampler, int]:
    """Run the service here and return what was sampled, and the number of answers meanwhile."""
    from service.__main__ import main as serve

    sampler, port, answers = StageSampler(), free_port(), list[int]()
    os.environ |= {"RIBBON_PORT": str(port), "RIBBON_WORKERS": "1"}
    signal.signal(signal.SIGUSR1, lambda *_: sampler.start())
    watcher = threading.Thread(target=watch, args=(arguments, port, sampler, answers))
    watcher.start()
    given, sys.argv = sys.argv, sys.argv[:1]
    try:
        serve()
    finally:
        sys.argv = given
    watcher.join()
    return sampler, answers[0]


def print_stages(sampler: StageSampler, num_answers: int) -> None:
    total = 0.0
    print("| Thread | Stage | µs a request |")
    print("| --- | --- | ---: |")
    for kind, stages in sampler.seconds.items():
        whole = 1e6 * sum(stages.values()) / num_answers
        total += whole
        for stage, seconds in sorted(stages.items(), key=itemgetter(1), reverse=True):
            if (microseconds := 1e6 * seconds / num_answers) >= 1:
                print(f"| {kind} | {stage} | {microseconds:.0f} |")
        print(f"| {kind} | together | {whole:.0f} |")
    print(f"| all | together | {total:.0f} |")


def main(arguments: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--route", choices=sorted(TASKS), default="/tag")
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.ask:
        ask(options.route, options.ask, options.seconds, options.models_dir, options.connections)
        return
    os.environ |= {"RIBBON_MODELS_DIR": str(options.models_dir)}
    print_stages(*measure(given))


if __name__ == "__main__":
    main()
