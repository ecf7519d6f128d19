"""An open loop of requests to every task's route. Needs the extra ``load``.

``locust -f bench/load/locustfile.py --host http://127.0.0.1:8000`` opens Locust's page; behind it the users to be
played may be named: Reader, Critic, Traveller, Writer, Editor. ``--headless --pattern ramp`` runs without the page.
``python -m bench.load`` starts the service too.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # Locust knows the file alone

from locust import LoadTestShape, events

from bench.load.outcome import conclude, write_down
from bench.load.patterns import PATTERNS
from bench.load.tally import Tally
from bench.load.texts import SENTENCES, Message, Texts
from bench.load.users import REQUESTS_PER_USER, Run, Source

RISE_PER_SECOND = 1000.0  # users; a step begins at once


class Reader(Source):
    """Tags sentences, and now and then a page of them."""

    weight = 6

    def compose(self, texts: Texts) -> Message:
        return texts.page("/tag") if texts.draw.random() < 0.02 else texts.sentence("/tag")


class Critic(Source):
    """Classifies sentences, and now and then a review."""

    weight = 6

    def compose(self, texts: Texts) -> Message:
        return texts.review("/classify") if texts.draw.random() < 0.05 else texts.sentence("/classify")


class Traveller(Source):
    """Has sentences translated, each into some language, and now and then a letter."""

    weight = 1

    def compose(self, texts: Texts) -> Message:
        target = texts.target()
        if texts.draw.random() < 0.05:
            return texts.letter("/translate", target=target)
        return texts.sentence("/translate", target=target)


class Writer(Source):
    """Has beginnings of sentences continued."""

    weight = 1

    def compose(self, texts: Texts) -> Message:
        return texts.opening("/generate", max_tokens=24)


class Editor(Source):
    """Has sentences scored, and now and then a review."""

    weight = 2

    def compose(self, texts: Texts) -> Message:
        return texts.review("/score") if texts.draw.random() < 0.05 else texts.sentence("/score")


class Shape(LoadTestShape):
    """The pattern's rate in users."""

    def reset_time(self) -> None:
        """A run begins, for Locust before there is any user."""
        super().reset_time()
        if self.runner is not None:
            begin(self.runner.environment)

    def tick(self) -> tuple[int, float] | None:
        run: Run = self.runner.environment.ribbon_run
        rate = self.runner.environment.ribbon_pattern.rate_at(run.now(), run.tally)
        return None if rate is None else (max(1, round(rate / REQUESTS_PER_USER)), RISE_PER_SECOND)


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    group = parser.add_argument_group("Ribbon")
    group.add_argument("--pattern", choices=sorted(PATTERNS), default="steady", help="how the rate goes")
    group.add_argument("--rate", type=float, default=50.0, help="requests a second: a ramp's first, else the basis")
    group.add_argument("--seconds", type=float, default=60.0, help="of the run; of a ramp at most")
    group.add_argument("--slo", type=float, default=500.0, help="milliseconds: objective and deadline of each")
    group.add_argument("--slo-share", type=float, default=0.99, help="of what is sent must be within it")
    group.add_argument("--least-rate", type=float, default=0.0, help="requests a second that a ramp must find")
    group.add_argument("--texts", default=str(SENTENCES), help="a file of your own, one sentence a line")
    group.add_argument("--seed", type=int, default=1)
    group.add_argument("--key-file", help="holds the API key")
    group.add_argument("--output", default=str(ROOT / "runs" / "load"), help="folder of load.csv, .json and .html")


def begin(environment: Any) -> None:
    options: Namespace = environment.parsed_options
    texts = Texts.of(Path(options.texts), seed=options.seed)
    tally = Tally(slo_milliseconds=options.slo)
    key = Path(options.key_file).read_text("utf-8").strip() if options.key_file else None
    environment.ribbon_run = Run(texts, tally, deadline_ms=round(options.slo), key=key)
    environment.ribbon_pattern = PATTERNS[options.pattern](options.rate, options.seconds)


@events.test_stop.add_listener
def end(environment: Any, **_: object) -> None:
    """Judge, write down, and choose the exit status."""
    outcome = conclude(environment.ribbon_run.tally, environment.ribbon_pattern, environment.parsed_options)
    write_down(outcome, environment.ribbon_run.tally, Path(environment.parsed_options.output))
    print("\n".join(outcome.lines))
    environment.process_exit_code = 0 if outcome.is_met else 1
