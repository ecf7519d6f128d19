"""Prometheus metrics, each declared once. No label's values are chosen by a client."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from service.errors import ServiceError

Across = Literal["livesum", "livemax"]  # how the values of several workers are combined
CONTENT_TYPE = "text/plain; version=0.0.4"  # the charset is added where it is answered
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEP_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_CELLS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_RATIOS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75)


class QueueGauge(Protocol):
    """A queue whose lengths the gauges read at any moment."""

    @property
    def queued_rows(self) -> int: ...
    @property
    def queued_cells(self) -> int: ...
    @property
    def oldest_age_seconds(self) -> float: ...


class DecoderGauge(Protocol):
    """A decoder whose rows the gauges read at any moment."""

    @property
    def live_rows(self) -> int: ...


class Metrics:
    """Metrics of one application, in a registry of their own so that two applications can share a process. Every gauge
    says how the values of several workers are combined: ``multiprocess_mode`` or ``across``."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._counter, self._histogram = partial(Counter, registry=registry), partial(Histogram, registry=registry)
        self._plain_gauge = partial(Gauge, registry=registry)
        self.queues: list[QueueGauge] = []  # schedulers, whose gauges are read when scraped
        self.decoders: list[DecoderGauge] = []  # those of them that decode
        self.num_in_flight: Callable[[], int] = lambda: 0  # the lifecycle knows
        self._declare_requests()
        self._declare_runs()
        self._declare_queues()
        self._declare_decoder()
        self._declare_reloads()
        self._declare_process()

    def count_problem(self, error: ServiceError) -> None:
        """Count an error that has no request context: a connection refused or ended."""
        self.errors.labels(error.kind).inc()

    def render(self) -> bytes:
        """Return the Prometheus text format."""
        return generate_latest(self.registry)

    async def keep_fresh(self) -> None:
        """Keep this process's gauges up to date for other workers, until cancelled: there are none here."""

    def _declare_requests(self) -> None:
        self.requests = self._counter("ribbon_requests", "Answers by route and status.", ["route", "status"])
        self.errors = self._counter("ribbon_errors", "Problems by kind.", ["kind"])
        self.lost_log_lines = count_lost_log_lines(self.registry)
        self.key_items = self._counter("ribbon_key_items", "Items answered by key.", ["key"])
        self._gauge("ribbon_requests_in_flight", "Requests being answered.", lambda: float(self.num_in_flight()))
        stages = self._histogram(
            "ribbon_stage_seconds",
            "Time of one answered request in a stage: queue, model, total.",
            ["stage"],
            buckets=_SECONDS,
        )
        self.queue_seconds = stages.labels("queue")
        self.model_seconds = stages.labels("model")
        self.total_seconds = stages.labels("total")
        self.tokens = self._counter("ribbon_tokens", "Tokens answered, padding not counted.")

    def _declare_runs(self) -> None:
        """Declare the metrics of runs: one run of a graph answers all of its rows."""
        self.batch_rows = self._histogram("ribbon_batch_rows", "Rows of a run.", buckets=_ROWS)
        self.batch_cells = self._histogram("ribbon_batch_cells", "Rows x longest row of a run.", buckets=_CELLS)
        self.run_seconds = self._histogram("ribbon_run_seconds", "Time of a run on its thread.", buckets=_STEP_SECONDS)
        self.loop_lag_seconds = self._histogram(
            "ribbon_loop_lag_seconds", "How late the event loop's timers are.", buckets=_SECONDS
        )
        self.longest_run_seconds = self._plain_gauge(
            "ribbon_longest_run_seconds",
            "The longest time that one run of a model may hold a thread, measured before the service was ready.",
            ["model"],
            multiprocess_mode="livemax",
        )
        self.padding_ratio = self._histogram(
            "ribbon_batch_padding_ratio", "Share of a run's cells that is padding.", buckets=_RATIOS
        )
        self.device = self._plain_gauge(
            "ribbon_device_info",
            "1 for the device on which this process runs models.",
            ["device"],
            multiprocess_mode="livemax",
        )

    def _declare_queues(self) -> None:
        self._gauge("ribbon_queue_rows", "Rows waiting.", lambda: sum(q.queued_rows for q in self.queues))
        self._gauge("ribbon_queue_cells", "Tokens waiting.", lambda: sum(q.queued_cells for q in self.queues))
        self._gauge(
            "ribbon_queue_oldest_age_seconds",
            "How long the oldest row has waited; 0 when none does.",
            lambda: max((q.oldest_age_seconds for q in self.queues), default=0.0),
            across="livemax",
        )

    def _declare_decoder(self) -> None:
        """Declare the metrics of decoder steps: one step is one run of the decoder's graph."""
        self._gauge(
            "ribbon_decoder_live_rows",
            "Places of all beams being decoded.",
            lambda: sum(each.live_rows for each in self.decoders),
        )
        self.decoder_steps = self._counter("ribbon_decoder_steps", "Steps.")
        self.decoder_step_rows = self._histogram("ribbon_decoder_step_rows", "Hypotheses of a step.", buckets=_ROWS)
        self.decoder_step_seconds = self._histogram(
            "ribbon_decoder_step_seconds", "Time of a step in the model.", buckets=_STEP_SECONDS
        )
        self.decoder_bookkeeping_seconds = self._histogram(
            "ribbon_decoder_bookkeeping_seconds",
            "Time between the model's runs: who joins, who leaves, which hypotheses go on.",
            buckets=_STEP_SECONDS,
        )
        self.decoder_target_tokens = self._counter(
            "ribbon_decoder_target_tokens", "Tokens of the best hypotheses answered."
        )
        self.decoder_admitted = self._counter("ribbon_decoder_admitted", "Sentences that began to be decoded.")
        self.decoder_cancelled = self._counter(
            "ribbon_decoder_cancelled",
            "Sentences given up before they were answered, cancelled or expired.",
            ["reason"],
        )

    def _declare_reloads(self) -> None:
        """Declare the metrics of models, whose labels come from the manifests and the settings."""
        self.reloads = count_reloads(self.registry)
        self.models_loaded_at = self._plain_gauge(
            "ribbon_models_loaded_timestamp_seconds",
            "When the models that are served were last found to be those of the folder.",
            multiprocess_mode="livemin",
        )
        self.model_info = self._plain_gauge(
            "ribbon_model_info",
            "1 for each model that is served, 0 for one that was.",
            ["name", "version", "task", "precision", "checksum"],
            multiprocess_mode="livemax",
        )

    def _gauge(self, name: str, documentation: str, read: Callable[[], float], *, across: Across = "livesum") -> None:
        """Declare a gauge that is read by a function when it is asked for."""
        Gauge(name, documentation, registry=self.registry, multiprocess_mode=across).set_function(read)

    def _declare_process(self) -> None:
        """Declare the process's memory, processor time and open files."""
        ProcessCollector(registry=self.registry)


def count_reloads(registry: CollectorRegistry) -> Counter:
    """Declare the counter of reloads, which a supervisor has too."""
    documentation = "Times that models were looked for again, by result: ok, unchanged, failed."
    reloads = Counter("ribbon_reloads", documentation, ["result"], registry=registry)
    for result in ("ok", "unchanged", "failed"):
        reloads.labels(result)  # 0 from the beginning: a rate needs a first value
    return reloads


def count_worker_restarts(registry: CollectorRegistry) -> Counter:
    """Declare the counter of workers that a supervisor replaced."""
    documentation = "Workers replaced, by reason: died, hung."
    restarts = Counter("ribbon_worker_restarts", documentation, ["reason"], registry=registry)
    for reason in ("died", "hung"):
        restarts.labels(reason)  # 0 from the beginning: a rate needs a first value
    return restarts


def count_lost_log_lines(registry: CollectorRegistry) -> Counter:
    """Declare the counter of lines that the log lost, which a supervisor has too."""
    return Counter("ribbon_log_lines_lost", "Lines of the log that could not be written.", registry=registry)
