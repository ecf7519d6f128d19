"""Measure whether translations hold every placeholder, tag, address, number and other protected item of their source.

    python -m training.translator.protected --url http://127.0.0.1:8123
    python -m training.translator.protected --url http://127.0.0.1:8123 --num-hypotheses 4

300 generated sentences of one to four items are translated into each language. A translation keeps its items if each
stands in it exactly as often as in the source and nothing like them was added. With several hypotheses, each counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.report import table
from training.translator.answers import Answer
from training.translator.options import LANGUAGE_NAMES, System, finish, measurement_parser, open_system
from training.translator.protected_items import NUM_SENTENCES, ProtectedSentence, additions, generate, read_kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A translation that lost, repeated or invented items."""

    source: str
    translation: str
    wrong: Mapping[str, str]  # by item: "1 -> 0" where it stood once and is gone
    added: str  # digits and signs that the source does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCount:
    """The number of sentences with an item of a kind, and of their translations that keep it."""

    kind: str
    sentences: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageProtection:
    """The figures of one language."""

    language: str
    translations: int
    kept: int
    kinds: Sequence[KindCount]
    failures: Sequence[Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The figures of a model."""

    model: str
    languages: Sequence[LanguageProtection]


def measure(system: System, languages: Sequence[str], sentences: Sequence[ProtectedSentence]) -> Protection:
    """Translate generated sentences and count the items that are kept."""
    found = [
        of_language(language, sentences, system.answers([each.text for each in sentences], language))
        for language in languages
    ]
    return Protection(model=system.title, languages=found)


def of_language(language: str, sentences: Sequence[ProtectedSentence], answers: Sequence[Answer]) -> LanguageProtection:
    """Return the figures of answers in one language; every hypothesis of an answer counts."""
    pairs = [
        (sentence, text)
        for sentence, answer in zip(sentences, answers, strict=True)
        for text in dict.fromkeys((answer.translation, *answer.hypotheses))
    ]
    failures = [failure for sentence, text in pairs if (failure := check(sentence, text)) is not None]
    return LanguageProtection(
        language=language,
        translations=len(pairs),
        kept=len(pairs) - len(failures),
        kinds=_by_kind(pairs),
        failures=failures,
    )


def check(sentence: ProtectedSentence, translation: str) -> Failure | None:
    """Return the errors in a translation's items, or None."""
    wanted, found = sentence.counts_in(sentence.text), sentence.counts_in(translation)
    wrong = {each: f"{wanted[each]} -> {found[each]}" for each in sentence.literals if wanted[each] != found[each]}
    added = additions(sentence, translation)
    if not wrong and not added:
        return None
    return Failure(source=sentence.text, translation=translation, wrong=wrong, added=added)


def _by_kind(pairs: Sequence[tuple[ProtectedSentence, str]]) -> list[KindCount]:
    seen: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for sentence, translation in pairs:
        failure = check(sentence, translation)
        kinds = {item.kind for item in sentence.items}
        seen.update(kinds)
        kept.update(kinds - {sentence.literals[literal] for literal in (failure.wrong if failure else ())})
    return [KindCount(kind=kind, sentences=seen[kind], kept=kept[kind]) for kind in sorted(seen)]


def as_markdown(figures: Protection, *, most_failures: int | None = None) -> list[str]:
    """Return the tables and the failures as lines of Markdown; at most so many failures of a language."""
    rows = [
        [LANGUAGE_NAMES[each.language], str(each.translations), str(each.kept), f"{each.kept / each.translations:.1%}"]
        for each in figures.languages
    ]
    lines = table(["language", "translations", "items kept", "share"], rows)
    kinds = [each.kind for each in figures.languages[0].kinds]
    columns = [{each.kind: f"{each.kept}/{each.sentences}" for each in part.kinds} for part in figures.languages]
    rows = [[kind.replace("_", " "), *(column.get(kind, "") for column in columns)] for kind in kinds]
    lines += table(["kind kept", *(LANGUAGE_NAMES[each.language] for each in figures.languages)], rows)
    for each in figures.languages:
        for failure in each.failures[:most_failures]:
            lines += [f"- {each.language}: {_wrong(failure)}", f"  - {failure.source}", f"  - {failure.translation}"]
    return [*lines, ""]


def _wrong(failure: Failure) -> str:
    parts = [f"``{item}`` {change}" for item, change in failure.wrong.items()]
    return ", ".join([*parts, *([f"added ``{failure.added}``"] if failure.added else [])])


def main() -> None:
    parser = measurement_parser(__doc__)
    parser.add_argument("--num-hypotheses", type=int, default=1, help="how many of each are checked; default 1")
    arguments = parser.parse_args()
    system = open_system(arguments, num_hypotheses=arguments.num_hypotheses)
    sentences = generate(read_kinds(), number=min(arguments.limit or NUM_SENTENCES, NUM_SENTENCES))
    figures = measure(system, arguments.languages, sentences)
    finish("protected", figures, as_markdown(figures), arguments=arguments, system=system)


if __name__ == "__main__":
    main()
