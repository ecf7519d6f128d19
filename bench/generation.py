"""Measure the tokens a second that ``/generate`` writes, with 1, 8 and 32 requests at once.

``python -m bench.generation`` measures beside it, by turns and on one core each: a loop over the bare step graph, and
PyTorch's eager mode with the same weights, both with as many prompts in a batch, which is done when its longest text
is. Then what it is worth that requests join at any step. Eager mode needs the extra ``train``.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.client import Connection, Request, saturate, text_request
from bench.cores import apart
from bench.generation_joins import LateJoin, join_late, policy_ways
from bench.generation_loops import SEED, eager_loop, raw_loop
from bench.machine import this_machine
from bench.model import BareSession
from bench.process import ROOT, ServiceProcess
from bench.report import print_machine
from bench.throughput import WARM_UP_SHARE
from bench.ways import EAGER, Speed, Way, measure, measure_once
from bench.workload import SENTENCES
from service.bundle import Bundle
from service.decoding.sampler import sample_all
from service.decoding.search import Prompt, SamplingOptions
from service.errors import BundleError
from service.models.loading import find_versions, highest_of
from service.predictors.language_model import LanguageModel
from service.runtime.resources import available_cores

HTTP, RAW = "HTTP", "raw onnxruntime"
SHORTEST_MIXED = 8  # tokens
LONG, SHORT = 256, 16  # tokens of the request that another joins, and of the one that comes late
LEAST_SHARE = 0.01  # of a core, that a turn of the service is taken to use at least: the kernel counts in hundredths
ONE_CORE = {"RIBBON_WORKERS": "1", "RIBBON_THREADS": "1"}


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.generation", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", default="en-lm", help="a language model's name")
    parser.add_argument("--concurrent", type=int, nargs="+", default=[1, 8, 32], help="requests, and rows of a batch")
    parser.add_argument("--max-tokens", type=int, default=64, help="of a text")
    parser.add_argument("--temperature", type=float, default=0.0, help="0: always the likeliest token")
    parser.add_argument("--count", type=int, default=64, help="prompts: openings of sentences")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one turn of the service")
    parser.add_argument("--no-eager", action="store_true", help="leave out PyTorch")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "generation.json")
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A prompt as a request and as the sampler takes it, and what is written behind it."""

    request: Request  # its words are the tokens that are written, an end counted
    prompt: Prompt
    answer: str


def open_language_model(models_dir: Path, name: str) -> tuple[Bundle, LanguageModel]:
    """The bundle of that name, and its model as it is served. Raises BundleError if there is none, or of another
    task."""
    bundle = highest_of(find_versions(models_dir)).get(name)
    if bundle is None or bundle.manifest.task != "generate":
        raise BundleError(f"{models_dir}: no language model {name!r}")
    return bundle, LanguageModel(bundle, reader=BareSession(bundle.encoder()), step=BareSession(bundle.graph()))


def tasks_of(model: LanguageModel, name: str, lengths: Sequence[int], temperature: float) -> list[Task]:
    """Openings of sentences, drawn at random but the same each time, to be continued by so many tokens at most. The
    engine in this process says what the service will answer."""
    lines = [words for line in SENTENCES.read_text("utf-8").splitlines() if (words := line.split())]
    texts = [" ".join(words[: 1 + len(words) // 2]) for words in random.Random(0).sample(lines, len(lengths))]
    prompts = []
    for text, length in zip(texts, lengths, strict=True):
        options = SamplingOptions(max_tokens=length, temperature=temperature)
        prompts.append(model.encode_prompt(text, options, before=model.first_state(), seed=SEED).search)
    tasks = []
    for text, prompt, (sample,) in zip(texts, prompts, sample_all(model.graphs, prompts), strict=True):
        wishes: dict[str, str | int | float] = {
            "model": name,
            "max_tokens": prompt.options.max_tokens,
            "temperature": temperature,
            "seed": SEED,
        }
        request = text_request("/generate", [text], num_words=sample.num_steps, field="prompt", wishes=wishes)
        tasks.append(Task(request=request, prompt=prompt, answer=sample.text))
    return tasks


def check_answer(service: ServiceProcess, task: Task) -> None:
    """The service writes what is counted here, or every figure would be off. Raises RuntimeError."""
    with Connection(service.address) as connection:
        answer = connection.ask(task.request.content)
    if answer.status != 200:
        raise RuntimeError(f"the service answered {answer.status}: {answer.body[:300].decode()}")
    if (text := json.loads(answer.body)["results"][0]["samples"][0]["text"]) != task.answer:
        raise RuntimeError(f"{task.answer!r} is counted, the service wrote {text!r}")


class Comparison:
    """The service beside loops of one's own, and what it is worth that requests join at any step."""

    def __init__(self, arguments: argparse.Namespace, bundle: Bundle, model: LanguageModel) -> None:
        self.arguments, self.bundle, self.model = arguments, bundle, model
        self.tasks = self._tasks([arguments.max_tokens] * arguments.count)

    def _tasks(self, lengths: Sequence[int]) -> list[Task]:
        return tasks_of(self.model, self.bundle.manifest.name, lengths, self.arguments.temperature)

    def systems(self, service: ServiceProcess, number: int) -> list[Speed]:
        """The service with so many requests at once, and the others with as many rows, by turns."""
        ways = [Way(system=RAW, num_together=number, decode=raw_loop(self.model, number, self.arguments.temperature))]
        if not self.arguments.no_eager:
            decode = eager_loop(self.bundle, number, self.arguments.temperature)
            ways.append(Way(system=EAGER, num_together=number, decode=decode))
        prompts = [task.prompt for task in self.tasks]
        served, *others = (Speed(way=name) for name in (f"{HTTP}, {number} at once", *(way.name for way in ways)))
        for way in ways:
            way.decode(prompts[:number])
        for _ in range(self.arguments.rounds):
            self._measure_http(service, number, served)
            for way, speed in zip(ways, others, strict=True):
                measure_once(way, speed, prompts)
        return [served, *others]

    def _measure_http(self, service: ServiceProcess, number: int, speed: Speed) -> None:
        seconds, cpu_before = self.arguments.seconds, service.cpu_seconds
        load = saturate(
            service.address,
            [task.request for task in self.tasks],
            num_connections=number,
            warm_up_seconds=WARM_UP_SHARE * seconds,
            seconds=seconds,
        )
        if load.num_refused:
            raise RuntimeError(f"{load.num_refused} requests were refused")
        cpu_share = (service.cpu_seconds - cpu_before) / (load.seconds + WARM_UP_SHARE * seconds)
        speed.tokens_per_second.append(load.words_per_second)
        speed.tokens_per_cpu_second.append(load.words_per_second / max(cpu_share, LEAST_SHARE))

    def mixed_lengths(self) -> list[Speed]:
        """The engine in this process with texts of mixed lengths, by policy."""
        most = self.arguments.max_tokens
        draw = random.Random(0)
        lengths = [draw.randint(min(SHORTEST_MIXED, most), most) for _ in self.tasks]
        prompts = [task.prompt for task in self._tasks(lengths)]
        return measure(policy_ways(self.model, max(self.arguments.concurrent)), prompts, rounds=self.arguments.rounds)

    def late(self, service: ServiceProcess) -> LateJoin:
        """A short request that comes while a long one is being written: the longest text of all."""
        longest, shortest = (min(length, self.model.max_new_tokens) for length in (LONG, SHORT))
        long = max((task.request for task in self._tasks([longest] * len(self.tasks))), key=lambda each: each.num_words)
        (short,) = self._tasks([shortest])
        return join_late(service, long, short.request, times=2 * self.arguments.rounds - 1)


def lines_of(speeds: Sequence[Speed]) -> Iterator[str]:
    """Each way, and the first beside the others by processor time, in which others on the machine count for nothing."""
    first = speeds[0]
    for speed in speeds:
        low, high = min(speed.tokens_per_second), max(speed.tokens_per_second)
        by_cpu, of_first = (statistics.median(each.tokens_per_cpu_second) for each in (speed, first))
        beside = "" if speed is first else f"; x{of_first / by_cpu:.2f} by the first"
        yield (
            f"  {speed.way:<42} {speed.median:8,.0f} tokens/s (rounds {low:,.0f} to {high:,.0f}), "
            f"{by_cpu:8,.0f} a second of processor time{beside}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = parse_arguments(arguments)
    machine = this_machine()
    print_machine(machine)
    bundle, model = open_language_model(parsed.models_dir, parsed.model)
    comparison = Comparison(parsed, bundle, model)
    num_tokens = sum(task.request.num_words for task in comparison.tasks)
    title = f"{bundle.manifest.name} {bundle.manifest.version}, {bundle.manifest.default_precision}"
    print(f"{title}; one core each; {parsed.count} openings, {num_tokens} tokens; temperature {parsed.temperature:g}")
    found: dict[str, Any] = {}
    with (
        apart(1 if available_cores() > 1 else None) as leave_it_to_the_service,
        ServiceProcess(models_dir=parsed.models_dir, variables=ONE_CORE) as service,
    ):
        leave_it_to_the_service()
        check_answer(service, comparison.tasks[0])
        for number in parsed.concurrent:
            found[f"{number} at once"] = comparison.systems(service, number)
            print("", *lines_of(found[f"{number} at once"]), sep="\n", flush=True)
        late = comparison.late(service)
    found["mixed lengths"] = comparison.mixed_lengths()
    print(f"\ntexts of {SHORTEST_MIXED} to {parsed.max_tokens} tokens, the engine in this process")
    print(*lines_of(found["mixed lengths"]), sep="\n")
    print(f"\na request that comes while another is written\n  {late}")
    speeds = {name: list(map(asdict, each)) for name, each in found.items()}
    content = {"machine": asdict(machine), "bundle": title, "speeds": speeds, "late": asdict(late)}
    parsed.output.parent.mkdir(parents=True, exist_ok=True)
    parsed.output.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    print(f"\nEvery measurement: {parsed.output}")


if __name__ == "__main__":
    main()
