"""Configurations of training runs: frozen dataclasses read from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

Config = TypeVar("Config")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """The length of a training run and its learning rate; see :func:`training.loop.fit`."""

    num_epochs: int
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    minutes: float | None = None  # of training, even within an epoch; the rate then falls by time, not by steps
    limit_minutes: float | None = None  # likewise, beside a rate that falls by steps: the lower rate of the two holds
    warmup_steps: int = 200
    decay_epochs: int | None = None  # at the end, in which the rate falls to zero; None: all epochs
    gradient_clip: float = 5.0
    ema_decay: float = 0.998
    patience: int = 10  # epochs without a better score before it stops
    evaluate_every: int = 1  # epochs
    seed: int = 1
    bf16: bool = True  # autocast where the processor has it; the loss stays in float32


def build(kind: type[Config], content: dict[str, Any], where: str = "") -> Config:
    """An instance of a dataclass, nested ones included, from a TOML table. Raises ValueError on an unknown or missing
    key."""
    if not isinstance(content, dict):
        raise ValueError(f"{where.rstrip('.')}: expected a table, not {content!r}")
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := content.keys() - known:
        names = ", ".join(where + name for name in sorted(unknown))
        raise ValueError(f"unknown {names}; known: {', '.join(sorted(known))}")
    values = {}
    for name, value in content.items():
        part = next((hint for hint in (hints[name], *get_args(hints[name])) if is_dataclass(hint)), None)
        if part is not None:  # the type itself, or the type in ``type | None``
            value = build(part, value, f"{where}{name}.")  # type: ignore[type-var]
        values[name] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{where.rstrip('.') or 'configuration'}: {error}") from error


def load_config(kind: type[Config], path: Path) -> Config:
    """The configuration of type ``kind`` in a TOML file. A file that ``extends`` another one beside it, by name, takes
    from that what it does not set itself, table by table."""
    return build(kind, _content_of(path))


def _content_of(path: Path) -> dict[str, Any]:
    own = tomllib.loads(path.read_text(encoding="utf-8"))
    extended = own.pop("extends", None)
    return own if extended is None else _merged(_content_of(path.with_name(extended)), own)


def _merged(extended: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    tables = {name: _merged(extended.get(name, {}), value) for name, value in own.items() if isinstance(value, dict)}
    return extended | own | tables
