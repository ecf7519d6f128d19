"""A page with what was offered and answered, and how long it took, second by second."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from bench.load.tally import Fate, Tally

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Ribbon under load</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto }} pre {{ overflow-x: auto }}
img {{ max-width: 100% }}</style>
<h1>Ribbon under load</h1>
<pre>{table}</pre>
{pictures}
</html>
"""


def page(lines: Sequence[str], tally: Tally) -> str:
    """HTML that needs nothing else."""
    return PAGE.format(table=html.escape("\n".join(lines)), pictures=_picture(tally))


def _picture(tally: Tally) -> str:
    """Without matplotlib the table must do."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "<p>With matplotlib installed there are pictures here.</p>"
    seconds = [second for second, _ in tally.by_second()]
    stretches = [stretch for _, stretch in tally.by_second()]
    figure = Figure(figsize=(11, 8), layout="constrained")
    rates, times = figure.subplots(2, 1, sharex=True)
    rates.plot(seconds, [each.offered for each in stretches], label="offered")
    rates.plot(seconds, [each.good for each in stretches], label="answered within the objective")
    rates.plot(seconds, [each.number(Fate.REFUSED) for each in stretches], label="refused")
    rates.set_ylabel("requests a second")
    rates.legend()
    times.plot(seconds, [each.milliseconds(50) for each in stretches], label="p50")
    times.plot(seconds, [each.milliseconds(99) for each in stretches], label="p99")
    times.axhline(tally.slo_milliseconds, linestyle=":", color="gray", label="objective")
    times.set_yscale("log")
    times.set_ylabel("milliseconds of what was answered")
    times.set_xlabel("second in which it was due")
    times.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return f'<img alt="by second" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
