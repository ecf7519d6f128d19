"""Limits of one request, whatever the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from service.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one request, whatever the model."""

    max_items: int
    max_text_length: int  # characters
    max_request_length: int  # characters of all its texts

    @property
    def max_values(self) -> int:
        """Number of texts, tokens and lists that a request within the limits holds at most: every token counts as two
        characters, with the space before it."""
        return self.max_request_length // 2 + 2 * self.max_items + 16

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def request_limits(settings: Settings) -> Limits:
    return Limits(
        max_items=settings.max_items,
        max_text_length=settings.max_text_length,
        max_request_length=settings.max_request_length,
    )
