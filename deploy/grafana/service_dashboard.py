"""The service dashboard: is it well, and if not, where does it hurt?"""

from __future__ import annotations

from panels import HERE, Panel, Query, RedAbove, RedBelow, Row, dashboard

RATE = "[$__rate_interval]"
WORK = 'route=~"/tag|/classify|/translate|/generate|/score|/compat/libretranslate/translate"'


def mean(histogram: str) -> str:
    """The mean of what a histogram has seen lately, for each instance."""
    parts = [f"sum by (instance) (rate({histogram}_{part}{{{HERE}}}{RATE}))" for part in ("sum", "count")]
    return " / ".join(parts)


def quantile(histogram: str, share: float, labels: str = "instance") -> str:
    return f"histogram_quantile({share}, sum by ({labels}, le) (rate({histogram}_bucket{{{HERE}}}{RATE})))"


TRAFFIC = Row(
    title="Traffic",
    panels=[
        Panel(
            title="Requests",
            unit="reqps",
            queries=[
                Query(
                    expr=f"sum by (route, status) (rate(ribbon_requests_total{{{HERE},{WORK}}}{RATE}))",
                    legend="{{route}} {{status}}",
                )
            ],
            says="Answers a second by route and status; 5xx in red.",
            red=RedAbove(value=10_000),
            red_series="/ 5../",
            when_red="look at Problems for the kind: model_failed and internal_error are bugs (the log has the request id), not_ready is an instance that starts or drains.",
        ),
        Panel(
            title="Words",
            unit="suffix: words/s",
            queries=[
                Query(expr=f"sum by (instance) (rate(ribbon_tokens_total{{{HERE}}}{RATE}))", legend="{{instance}}")
            ],
            says="Tokens answered a second, padding not counted.",
            red=RedBelow(value=0.001),
            when_red="nothing reaches the models: is there traffic at all (Requests), is the instance ready (Probes), does the balancer send to it?",
        ),
        Panel(
            title="Probes told not ready",
            unit="reqps",
            queries=[
                Query(
                    expr=f'sum by (instance, status) (rate(ribbon_requests_total{{{HERE},route="/health/ready"}}{RATE}))',
                    legend="{{instance}} {{status}}",
                )
            ],
            says="What balancers and health checks hear: 200 is ready, 503 (red) is starting or draining.",
            red=RedAbove(value=1_000),
            red_series="/503/",
            when_red="for seconds it is a start or a restart; for minutes read the instance's last log lines: which bundle or setting stops it? Runbook RibbonNotReady.",
        ),
    ],
)
ERRORS = Row(
    title="Errors",
    panels=[
        Panel(
            title="Failed requests",
            unit="percentunit",
            queries=[Query(expr="job:ribbon_errors:ratio_rate5m", legend="{{job}}")],
            says="Share of requests answered with 5xx over five minutes; 0.1 % is promised over a month.",
            red=RedAbove(value=14.4 * 0.001),
            when_red="the month's budget is gone within two days. Runbook RibbonAvailabilityBurnsFast.",
        ),
        Panel(
            title="Problems",
            unit="reqps",
            queries=[Query(expr=f"sum by (kind) (rate(ribbon_errors_total{{{HERE}}}{RATE}))", legend="{{kind}}")],
            says="Problems a second by kind. Kinds of the 4xx family are the callers'; internal_error and model_failed (red) are ours.",
            red=RedAbove(value=1_000),
            red_series="/internal_error|model_failed/",
            when_red="find the request ids in the log (level error) and report the traceback; if one model alone fails, take its bundle out and reload.",
        ),
        Panel(
            title="Refused or expired",
            unit="percentunit",
            queries=[Query(expr="job:ribbon_refused:ratio_rate5m", legend="{{job}}")],
            says="Share of requests refused with 429 overloaded, or dropped with 504, over five minutes.",
            red=RedAbove(value=0.05),
            when_red="there is more work than cores: add instances or hold callers to a rate. Runbook RibbonOverloaded.",
        ),
        Panel(
            title="Budget spent",
            unit="percentunit",
            queries=[
                Query(expr="job:ribbon_errors:ratio_rate3d / 0.001", legend="availability"),
                Query(expr="job:ribbon_slow:ratio_rate3d / 0.01", legend="latency"),
            ],
            kind="stat",
            says="Three days' failures and slow answers over what the objectives allow in that time; 100 % is exactly as much.",
            red=RedAbove(value=1),
            when_red="put reliability before new things until it is green again; the alerts that fired say where to begin.",
        ),
    ],
)
LATENCY = Row(
    title="Latency by stage",
    panels=[
        Panel(
            title="Median",
            unit="s",
            queries=[Query(expr=quantile("ribbon_stage_seconds", 0.5, "stage"), legend="{{stage}}")],
            says="Half of the answers take no longer: in the queue, in the model, in all.",
            red=RedAbove(value=0.5),
            when_red="if model grew, texts grew or cores are shared with others (Saturation); if queue grew, see Queue.",
        ),
        Panel(
            title="99th percentile",
            unit="s",
            queries=[Query(expr=quantile("ribbon_stage_seconds", 0.99, "stage"), legend="{{stage}}")],
            says="One answer in a hundred takes longer: in the queue, in the model, in all.",
            red=RedAbove(value=1),
            when_red="the objective of one second is missed. Runbook RibbonLatencyBurnsFast.",
        ),
        Panel(
            title="Slow answers",
            unit="percentunit",
            queries=[Query(expr="job:ribbon_slow:ratio_rate5m", legend="{{job}}")],
            says="Share of answers that took over a second, over five minutes; 1 % is promised over a month.",
            red=RedAbove(value=14.4 * 0.01),
            when_red="as for the 99th percentile.",
        ),
    ],
)
QUEUE = Row(
    title="Queue",
    panels=[
        Panel(
            title="Oldest waiting",
            unit="s",
            queries=[
                Query(expr=f"max by (instance) (ribbon_queue_oldest_age_seconds{{{HERE}}})", legend="{{instance}}")
            ],
            says="How long the oldest row has waited; 0 when none does.",
            red=RedAbove(value=1),
            when_red="on all instances: too little capacity (runbook RibbonQueueOld); on one: the balancer treats it unfairly, or its cores are taken.",
        ),
        Panel(
            title="Tokens waiting",
            unit="suffix: tokens",
            queries=[Query(expr=f"sum by (instance) (ribbon_queue_cells{{{HERE}}})", legend="{{instance}}")],
            says="All queues of the instance; RIBBON_MAX_QUEUED_CELLS (65,536) bounds each.",
            red=RedAbove(value=32_768),
            when_red="half of a queue is full and 429 comes next: add instances, or lower the load of bulk callers.",
        ),
        Panel(
            title="Rows waiting",
            unit="suffix: rows",
            queries=[Query(expr=f"sum by (instance) (ribbon_queue_rows{{{HERE}}})", legend="{{instance}}")],
            says="Sentences and texts that wait.",
            red=RedAbove(value=2_000),
            when_red="as for tokens; few rows with many tokens are long reviews.",
        ),
        Panel(
            title="Requests inside",
            unit="suffix: requests",
            queries=[Query(expr=f"sum by (instance) (ribbon_requests_in_flight{{{HERE}}})", legend="{{instance}}")],
            says="Requests being answered, probes included.",
            red=RedAbove(value=500),
            when_red="many requests and an empty queue: callers that send or read slowly; look at the balancer's connections.",
        ),
    ],
)
BATCHES = Row(
    title="Batches",
    panels=[
        Panel(
            title="Rows in a run",
            unit="suffix: rows",
            queries=[Query(expr=mean("ribbon_batch_rows"), legend="{{instance}}")],
            says="Mean rows of a run: 1 when idle, more under load; that is how the service keeps up.",
            red=RedAbove(value=64),
            when_red="runs are full all the time: the service is at its limit; see Refused and Oldest waiting.",
        ),
        Panel(
            title="Cells in a run",
            unit="suffix: cells",
            queries=[Query(expr=mean("ribbon_batch_cells"), legend="{{instance}}")],
            says="Mean of rows x longest row; RIBBON_MAX_BATCH_CELLS (1,024) bounds it.",
            red=RedAbove(value=900),
            when_red="as for rows: full runs are a saturated instance.",
        ),
        Panel(
            title="Padding",
            unit="percentunit",
            queries=[Query(expr=mean("ribbon_batch_padding_ratio"), legend="{{instance}}")],
            says="Share of the cells of a run that is padding: work for nothing.",
            red=RedAbove(value=0.3),
            when_red="lengths differ much and few rows wait, so neighbours fit badly: harmless while the queue is short, else a smaller RIBBON_MAX_BATCH_CELLS.",
        ),
        Panel(
            title="Time of a run, 99th percentile",
            unit="s",
            queries=[
                Query(expr=quantile("ribbon_run_seconds", 0.99), legend="{{instance}}"),
                Query(
                    expr=f"max by (model) (ribbon_longest_run_seconds{{{HERE}}})",
                    legend="{{model}}, longest before it was ready",
                ),
            ],
            says="How long a run holds its thread, beside the longest that each model can need: no other text waits longer for one run.",
            red=RedAbove(value=0.5),
            when_red="cores are shared with others, or RIBBON_MAX_BATCH_CELLS is too large for this model: runs cannot be interrupted.",
        ),
        Panel(
            title="Runs",
            unit="ops",
            queries=[
                Query(expr=f"sum by (instance) (rate(ribbon_batch_rows_count{{{HERE}}}{RATE}))", legend="{{instance}}")
            ],
            says="Runs of a tagger or classifier a second.",
            red=RedBelow(value=0.001),
            when_red="no run at all: no traffic for these tasks, or the instance is stuck (requests inside, no runs): restart it and keep its log.",
        ),
    ],
)
DECODER = Row(
    title="Translation",
    panels=[
        Panel(
            title="Live rows",
            unit="suffix: rows",
            queries=[Query(expr=f"sum by (instance) (ribbon_decoder_live_rows{{{HERE}}})", legend="{{instance}}")],
            says="Places of all beams that are being decoded; RIBBON_MAX_DECODER_ROWS (32) a thread.",
            red=RedAbove(value=256),
            when_red="more places than eight threads have: a decoder does not give them back; restart the instance and keep its log.",
        ),
        Panel(
            title="Rows in a step",
            unit="suffix: rows",
            queries=[Query(expr=mean("ribbon_decoder_step_rows"), legend="{{instance}}")],
            says="Mean hypotheses of a step: sentences of all requests share each one.",
            red=RedAbove(value=31),
            when_red="every step is full: translation is at its limit; smaller beams (beam_size 1 or 2) cost callers little.",
        ),
        Panel(
            title="Step, 99th percentile",
            unit="s",
            queries=[
                Query(expr=quantile("ribbon_decoder_step_seconds", 0.99), legend="model {{instance}}"),
                Query(expr=quantile("ribbon_decoder_bookkeeping_seconds", 0.99), legend="bookkeeping {{instance}}"),
            ],
            says="Time of a step in the model, and between two: who joins, who leaves, which hypotheses go on.",
            red=RedAbove(value=0.05),
            when_red="cores are shared with others: compare RIBBON_THREADS with the quota (Saturation).",
        ),
        Panel(
            title="Target tokens",
            unit="suffix: tokens/s",
            queries=[
                Query(
                    expr=f"sum by (instance) (rate(ribbon_decoder_target_tokens_total{{{HERE}}}{RATE}))",
                    legend="{{instance}}",
                )
            ],
            says="Tokens of the best hypotheses answered a second.",
            red=RedBelow(value=0.001),
            when_red="nothing is translated: is there traffic to /translate at all?",
        ),
        Panel(
            title="Given up",
            unit="ops",
            queries=[
                Query(
                    expr=f"sum by (reason) (rate(ribbon_decoder_cancelled_total{{{HERE}}}{RATE}))", legend="{{reason}}"
                )
            ],
            says="Sentences given up before they were answered: their caller hung up, or their deadline passed.",
            red=RedAbove(value=5),
            when_red="expired: deadlines are shorter than the queue is long; cancelled: callers give up before their own deadline, so let them send X-Request-Timeout-Ms.",
        ),
    ],
)
MODELS = Row(
    title="Models",
    panels=[
        Panel(
            title="Served",
            unit="none",
            queries=[
                Query(
                    expr=f"count by (name, version, task, precision) (ribbon_model_info{{{HERE}}} == 1)",
                    legend="{{task}}: {{name}}@{{version}}, {{precision}}",
                )
            ],
            kind="stat",
            says="On how many instances each version of each model is served.",
            red=RedBelow(value=1),
            when_red="nobody serves it any more. Numbers that differ for long: runbook RibbonModelsDiffer.",
        ),
        Panel(
            title="Reloads",
            unit="ops",
            queries=[
                Query(expr=f"sum by (result) (rate(ribbon_reloads_total{{{HERE}}}{RATE}))", legend="{{result}}"),
            ],
            says="How often models were looked for again, by result; failed in red.",
            red=RedAbove(value=1_000),
            red_series="/failed/",
            when_red="the models from before are still served; the log says which bundle could not be taken, and why. Runbook RibbonReloadFailed.",
        ),
        Panel(
            title="Age of the models",
            unit="s",
            queries=[
                Query(
                    expr=f"time() - min by (instance) (ribbon_models_loaded_timestamp_seconds{{{HERE}}})",
                    legend="{{instance}}",
                )
            ],
            says="Since when the models are known to be those of the folder.",
            red=RedAbove(value=90 * 24 * 3600),
            when_red="for three months nobody has looked for newer models: is the way from training to here broken?",
        ),
    ],
)
WORKERS = Row(
    title="Workers (where RIBBON_WORKERS is above 1)",
    panels=[
        Panel(
            title="Workers",
            unit="suffix: workers",
            queries=[
                Query(expr=f"count by (instance) (ribbon_worker_resident_bytes{{{HERE}}})", legend="{{instance}}"),
            ],
            says="Processes that serve.",
            red=RedBelow(value=1),
            when_red="none is left: the instance is about to end. Runbook RibbonWorkersDie.",
        ),
        Panel(
            title="Replaced",
            unit="ops",
            queries=[
                Query(
                    expr=f"sum by (instance) (rate(ribbon_worker_starts_total{{{HERE}}}{RATE}))", legend="{{instance}}"
                ),
            ],
            says="Workers started a second, in place of ones that ended.",
            red=RedAbove(value=0.01),
            when_red="workers die again and again. Runbook RibbonWorkersDie.",
        ),
        Panel(
            title="Memory of a worker",
            unit="bytes",
            queries=[Query(expr=f"ribbon_worker_resident_bytes{{{HERE}}}", legend="{{instance}} {{worker}}")],
            says="Resident memory of each; models that were loaded before the workers were forked count in every one and are held once.",
            red=RedAbove(value=700 * 1024 * 1024),
            when_red="one grows and the others do not: a leak; restart the instance. All have grown: as for Memory.",
        ),
        Panel(
            title="Cores of a worker",
            unit="suffix: cores",
            queries=[
                Query(expr=f"rate(ribbon_worker_cpu_seconds{{{HERE}}}{RATE})", legend="{{instance}} {{worker}}"),
            ],
            says="Processor time a second of each: even among workers, or the kernel gives one more connections than the others.",
            red=RedAbove(value=8),
            when_red="one worker has more than its share: long-lived connections all went to it; let clients or the balancer open new ones now and then.",
        ),
    ],
)
SATURATION = Row(
    title="Saturation",
    panels=[
        Panel(
            title="Event loop",
            unit="s",
            queries=[Query(expr=quantile("ribbon_loop_lag_seconds", 0.99), legend="{{instance}}")],
            says="How late the event loop's timers are, 99th percentile: time in which no request was read and no answer written.",
            red=RedAbove(value=0.1),
            when_red="one loop has too much to do: more workers (RIBBON_WORKERS) or instances, or fewer, larger requests.",
        ),
        Panel(
            title="Cores",
            unit="suffix: cores",
            queries=[Query(expr=f"instance:ribbon_cores:rate5m{{{HERE}}}", legend="{{instance}}")],
            says="Processor time a second of each instance, over five minutes.",
            red=RedAbove(value=1.9),
            when_red="an instance of two cores is full: add instances. Another size: compare with its quota.",
        ),
        Panel(
            title="Memory",
            unit="bytes",
            queries=[
                Query(
                    expr=f"instance:ribbon_resident_bytes:sum{{{HERE}}}",
                    legend="{{instance}}",
                )
            ],
            says="Resident memory of each instance; what its workers share counts for each. It hardly grows once the instance is ready.",
            red=RedAbove(value=900 * 1024 * 1024),
            when_red="the limit of 1 GiB is near. Runbook RibbonMemoryHigh.",
        ),
        Panel(
            title="Open files",
            unit="suffix: files",
            queries=[Query(expr=f"instance:ribbon_open_files:sum{{{HERE}}}", legend="{{instance}}")],
            says="Open files, nearly all of them connections.",
            red=RedAbove(value=800),
            when_red="1,024 is a common limit: bound connections at the balancer (maxconn), or raise the limit.",
        ),
        Panel(
            title="Instances up",
            unit="suffix: instances",
            queries=[Query(expr='sum(up{job="ribbon"})', legend="up")],
            kind="stat",
            says="Instances that can be scraped.",
            red=RedBelow(value=1),
            when_red="none runs. Runbook RibbonAllDown.",
        ),
    ],
)
SERVICE = dashboard(
    uid="ribbon-service",
    title="Ribbon: service",
    says="Is it well, and if not, where does it hurt?",
    rows=[TRAFFIC, ERRORS, LATENCY, QUEUE, BATCHES, DECODER, MODELS, WORKERS, SATURATION],
    variables=[],
)
