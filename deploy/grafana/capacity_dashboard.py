"""The capacity dashboard: how much do the cores do, and how much is left?"""

from __future__ import annotations

from panels import HERE, Panel, Query, RedAbove, RedBelow, Row, a_number, dashboard

SENTENCES = f"""
  sum by (instance) (rate(ribbon_batch_rows_sum{{{HERE}}}[5m]))
  + sum by (instance) (rate(ribbon_decoder_admitted_total{{{HERE}}}[5m]))
""".strip()

WORK_DONE = Row(
    title="Work done",
    panels=[
        Panel(
            title="Words",
            unit="suffix: words/s",
            queries=[Query(expr=f"instance:ribbon_tokens:rate5m{{{HERE}}}", legend="{{instance}}")],
            says="Tokens answered a second, over five minutes.",
            red=RedBelow(value=0.001),
            when_red="nothing is answered: see the service dashboard.",
        ),
        Panel(
            title="Sentences and texts",
            unit="suffix: items/s",
            queries=[Query(expr=SENTENCES, legend="{{instance}}")],
            says="Sentences tagged and translated and texts classified, a second.",
            red=RedBelow(value=0.001),
            when_red="nothing is answered: see the service dashboard.",
        ),
        Panel(
            title="Requests",
            unit="reqps",
            queries=[Query(expr=f"instance:ribbon_requests:rate5m{{{HERE}}}", legend="{{instance}}")],
            says="Requests a second: even among instances behind a balancer.",
            red=RedAbove(value=5_000),
            when_red="near what one event loop reads in requests of one short text: add workers (RIBBON_WORKERS) or instances, or let callers send several texts a request.",
        ),
    ],
)
PER_CORE = Row(
    title="What a core does",
    panels=[
        Panel(
            title="Words a core",
            unit="suffix: words/s",
            queries=[Query(expr=f"instance:ribbon_tokens_per_core:ratio_rate5m{{{HERE}}}", legend="{{instance}}")],
            says="Words answered for each second of processor time. Rises with load (fuller runs), differs by task: docs/operations.md has the table.",
            red=RedBelow(value=500),
            when_red="at high load a core does far less than measured: is another process on it, is the mix all translation, is padding high?",
        ),
        Panel(
            title="Sentences and texts a core",
            unit="suffix: items/s",
            queries=[
                Query(
                    expr=f"(\n{SENTENCES}\n) / on (instance) (instance:ribbon_cores:rate5m{{{HERE}}} > 0)",
                    legend="{{instance}}",
                )
            ],
            says="Sentences and texts answered for each second of processor time.",
            red=RedBelow(value=10),
            when_red="as for words; few items with many words are long texts.",
        ),
        Panel(
            title="Processor time of a request",
            unit="s",
            queries=[
                Query(
                    expr=f"instance:ribbon_cores:rate5m{{{HERE}}} / (instance:ribbon_requests:rate5m{{{HERE}}} > 0)",
                    legend="{{instance}}",
                )
            ],
            says="What a request costs on average, all routes together. Its inverse times the cores is the rate at saturation for this mix.",
            red=RedAbove(value=1),
            when_red="requests are large (128 texts, long reviews): bulk callers belong on instances of their own, or under X-Priority: bulk.",
        ),
    ],
)
ROUTES = Row(
    title="Which route",
    panels=[
        Panel(
            title="Requests by route",
            unit="reqps",
            queries=[Query(expr="sum by (route) (job_route_status:ribbon_requests:rate5m)", legend="{{route}}")],
            says="The mix. Cost is not even: a translated word costs about ten times a tagged one.",
            red=RedAbove(value=10_000),
            when_red="more than the instances are made for: see Headroom.",
        ),
        Panel(
            title="Model time by route",
            unit="suffix: threads",
            queries=[
                Query(expr=f"sum(rate(ribbon_decoder_step_seconds_sum{{{HERE}}}[5m]))", legend="/translate, decoder"),
                Query(
                    expr=f'sum(rate(ribbon_stage_seconds_sum{{{HERE},stage="model"}}[5m]))',
                    legend="all routes, as requests saw it",
                ),
            ],
            says="Threads kept busy by the decoder, and the time that requests spent in models; requests that share a run each count its time.",
            red=RedAbove(value=64),
            when_red="models hold requests much longer than the decoder runs: long texts; see Cells in a run.",
        ),
    ],
)
HEADROOM = Row(
    title="What is left",
    panels=[
        Panel(
            title="Headroom",
            unit="percentunit",
            queries=[Query(expr=f"1 - instance:ribbon_cores:rate5m{{{HERE}}} / $cores", legend="{{instance}}")],
            kind="stat",
            says="Share of the instance's cores (set above) that is idle, over five minutes.",
            red=RedBelow(value=0.25),
            when_red="one instance lost, or a peak, would overload the others: add instances before, not after.",
        ),
        Panel(
            title="Headroom over time",
            unit="percentunit",
            queries=[Query(expr=f"1 - instance:ribbon_cores:rate5m{{{HERE}}} / $cores", legend="{{instance}}")],
            says="The same over the chosen time.",
            red=RedBelow(value=0.25),
            when_red="as above; a daily rhythm asks for autoscaling (deploy/kubernetes).",
        ),
        Panel(
            title="Memory of a worker",
            unit="bytes",
            queries=[
                Query(expr=f"avg by (instance) (ribbon_worker_resident_bytes{{{HERE}}})", legend="{{instance}}"),
            ],
            says="What one worker more would hold at most, where RIBBON_WORKERS is above 1.",
            red=RedAbove(value=700 * 1024 * 1024),
            when_red="fewer models, fewer threads a worker, or a smaller RIBBON_MAX_BATCH_CELLS.",
        ),
        Panel(
            title="Memory of an instance",
            unit="bytes",
            queries=[
                Query(
                    expr=f"instance:ribbon_resident_bytes:sum{{{HERE}}}",
                    legend="{{instance}}",
                )
            ],
            says="Resident memory of the instance; what its workers share counts for each.",
            red=RedAbove(value=900 * 1024 * 1024),
            when_red="fewer workers or models, a smaller RIBBON_MAX_BATCH_CELLS, or a higher limit. Runbook RibbonMemoryHigh.",
        ),
    ],
)
CAPACITY = dashboard(
    uid="ribbon-capacity",
    title="Ribbon: capacity",
    says="How much do the cores do, and how much is left?",
    rows=[WORK_DONE, PER_CORE, ROUTES, HEADROOM],
    variables=[a_number("cores", "Cores of an instance", "2")],
)
