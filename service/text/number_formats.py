"""Numbers of English texts as other languages write them (Unicode CLDR): 1,234.56 and 50%."""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.text.protected import Item, key, scan

_NUMBER = re.compile(
    r"(?P<before>[^0-9]*)(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[1-9][0-9]*|0)(?:\.(?P<fraction>[0-9]+))?(?P<after>[^0-9]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """How a language writes a number."""

    group: str  # between groups of three digits
    decimal: str
    before_percent: str


FORMATS = {
    "es": NumberFormat(group=".", decimal=",", before_percent=""),
    "de": NumberFormat(group=".", decimal=",", before_percent="\u00a0"),
    "fr": NumberFormat(group="\u202f", decimal=",", before_percent="\u00a0"),
}


def localize(item: Item, language: str) -> str:
    """The item as the language writes it; as it is if it is no plain number: a date, a time, a telephone number."""
    form = FORMATS.get(language)
    match = _NUMBER.fullmatch(item.text)
    if item.kind != "number" or form is None or match is None:
        return item.text
    fraction = form.decimal + match["fraction"] if match["fraction"] else ""
    after = form.before_percent + match["after"].lstrip() if match["after"].strip() in ("%", "‰") else match["after"]
    text = match["before"] + match["whole"].replace(",", form.group) + fraction + after
    found = scan(text)
    return text if len(found) == 1 and found[0].text == text and key(found[0]) == key(item) else item.text
