"""Dialogues made by a grammar, in which something is told, perhaps corrected, and asked for turns later."""

from __future__ import annotations

import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

USER, BOT = "User:", "Bot:"
SPELLED = ("name", "town", "job", "liking")  # kinds of facts whose values may be made up
UNLISTED = "?"  # a fact that was told with a value that is in no list
LOWER, BARE = 0.6, 0.7  # of the users' lines that are typed carelessly: in small letters, without a last full stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A user's words and the bot's answer; the value of the fact that is told or asked for (none if it was never
    told). If the user asks for it: its kind, how many turns ago it was told, and whether that was a correction.
    ``known`` is the value of each kind of fact that was told until here."""

    user: str
    bot: str
    asked: str = ""
    value: str = ""
    distance: int = 0
    is_corrected: bool = False
    known: Mapping[str, str] = field(default_factory=dict)


Dialogue = Sequence[Turn]


@cache
def grammar() -> Mapping[str, Any]:
    """Templates and values of the facts, and small talk."""
    return tomllib.loads(Path(__file__).with_name("dialogue_grammar.toml").read_text(encoding="utf-8"))


@cache
def values_of(kind: str, most: int = 1000) -> tuple[str, ...]:
    """The first values of a kind of fact."""
    text = " ".join(grammar()["facts"][kind]["values"].split())
    return tuple(re.split(r", ?" if "," in text else " ", text.strip()))[:most]


class DialogueMaker:
    """Makes dialogues out of the first ``num_values`` values of each kind.

    A share ``made_up`` of names, towns, jobs and likings is spelled by a model of three letters learned from the lists,
    or is one of the lists' other values; the bot says that it does not know them. A share ``careless`` of the users'
    lines is typed without capitals or a last full stop, and a share ``joined`` of those that tell something tells a
    second thing.
    """

    def __init__(
        self,
        *,
        seed: int,
        num_values: int = 1000,
        made_up: float = 0.0,
        careless: float = 0.0,
        joined: float = 0.0,
    ) -> None:
        self.rng = random.Random(seed)
        self.made_up, self.careless, self.joined = made_up, careless, joined
        self.kinds = tuple(grammar()["facts"])
        self.values = {kind: values_of(kind, num_values) for kind in self.kinds}
        self._chat_turns = tuple(grammar()["chat"].items())
        self._letters = {kind: _letters_after(values_of(kind)) for kind in SPELLED}

    def dialogue(self, num_turns: int, *, asked: str = "", distance: int = 0) -> Dialogue:
        """A dialogue of so many turns. With ``asked`` the last turn asks for a fact of that kind, told ``distance``
        turns before; else facts, questions, corrections and small talk are mixed by chance."""
        turns: list[Turn] = []
        told: dict[str, tuple[str, int, bool]] = {}  # by kind: value, turn, whether it corrects another
        for number in range(num_turns):
            if asked and number == num_turns - 1:
                turns.append(self._ask(asked, told, number))
            elif asked and number == num_turns - 1 - distance:
                turns.append(self._tell(asked, told, number))
            else:
                turns.append(self._any_turn(told, number, barred=asked))
            known = {kind: value for kind, (value, _, _) in told.items()}
            turns[-1] = replace(turns[-1], user=self._typed(turns[-1].user), known=known)
        return turns

    def value(self, kind: str) -> str:
        """A value from the list, or a made-up one."""
        if kind in SPELLED and self.rng.random() < self.made_up:
            others = values_of(kind)[len(self.values[kind]) :]
            return self.rng.choice(others) if others and self.rng.random() < 0.5 else self._spell(kind)
        return self.rng.choice(self.values[kind])

    def _any_turn(self, told: dict[str, tuple[str, int, bool]], number: int, barred: str) -> Turn:
        choice = self.rng.random()
        kind = self.rng.choice([kind for kind in self.kinds if kind != barred])
        if choice < 0.35 and kind not in told:
            others = [each for each in self.kinds if each not in (*told, kind, barred)]
            if others and self.rng.random() < self.joined:
                return self._tell_both(kind, self.rng.choice(others), told, number)
            return self._tell(kind, told, number)
        if choice < 0.45 and (known := [each for each in told if each != barred]):
            return self._tell(self.rng.choice(known), told, number)
        if choice < 0.7 and number:
            return self._ask(kind if self.rng.random() < 0.2 or not told else self._known(told, barred), told, number)
        return self._chat()

    def _known(self, told: Mapping[str, Any], barred: str) -> str:
        return self.rng.choice([kind for kind in told if kind != barred] or [k for k in self.kinds if k != barred])

    def _tell(self, kind: str, told: dict[str, tuple[str, int, bool]], number: int) -> Turn:
        value, fact = self.value(kind), grammar()["facts"][kind]
        said = self.rng.choice(fact["correct" if kind in told else "tell"])
        if value not in self.values[kind]:
            told[kind] = UNLISTED, number, kind in told
            return Turn(user=fill(said, value), bot=unlisted_answer(kind))
        told[kind] = value, number, kind in told
        return Turn(user=fill(said, value), bot=fill(self.rng.choice(fact["confirm"]), value), value=value)

    def _tell_both(self, kind: str, other: str, told: dict[str, tuple[str, int, bool]], number: int) -> Turn:
        first, second = self._tell(kind, told, number), self._tell(other, told, number)
        user = f"{first.user} {second.user}"
        if second.user.startswith("I") and first.user.endswith(".") and self.rng.random() < 0.5:
            user = f"{first.user[:-1]} and {second.user}"
        return replace(first, user=user, bot=f"{first.bot} {second.bot}")

    def _ask(self, kind: str, told: Mapping[str, tuple[str, int, bool]], number: int) -> Turn:
        fact = grammar()["facts"][kind]
        question = self.rng.choice(fact["ask"])
        if kind not in told:
            return Turn(user=question, bot=self.rng.choice(grammar()["unknown"]["answers"]), asked=kind)
        value, when, is_corrected = told[kind]
        if value == UNLISTED:
            answer, value = unlisted_answer(kind), ""
        else:
            answer = fill(self.rng.choice(fact["answer"]), value)
        return Turn(
            user=question, bot=answer, asked=kind, value=value, distance=number - when, is_corrected=is_corrected
        )

    def _chat(self) -> Turn:
        said, answer = self.rng.choice(self._chat_turns)
        if "{" in said:
            kind = next(kind for kind in self.kinds if f"{{{kind}}}" in said)
            said = fill(said.replace(f"{{{kind}}}", "{x}"), self.value(kind))
        return Turn(user=said, bot=answer)

    def _typed(self, text: str) -> str:
        """The text as users type it."""
        if self.rng.random() >= self.careless:
            return text
        if self.rng.random() < BARE:
            text = text.removesuffix(".").removesuffix("?")
        return text.lower() if self.rng.random() < LOWER else text

    def _spell(self, kind: str) -> str:
        while True:
            word, letter = "^^", ""
            while letter != "$":
                word += letter
                letter = self.rng.choice(self._letters[kind][word[-2:]])
            if 3 <= len(word) - 2 <= 10:
                return word[2:].title() if self.values[kind][0].istitle() else word[2:]


def fill(template: str, value: str) -> str:
    """A template with its value in it, a sentence's first letter a capital."""
    article = "an" if value[0].lower() in "aeiou" else "a"
    text = template.replace("{x}", value).replace("{an}", article)
    return text[0].upper() + text[1:]


def unlisted_answer(kind: str) -> str:
    """The bot's answer about a value that is in none of its lists."""
    answer: str = grammar()["unlisted"]["answer"]
    return answer.replace("{kind}", kind)


def _letters_after(words: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Which letters follow each two in a list of words, as often as they do."""
    letters: dict[str, list[str]] = defaultdict(list)
    for word in words:
        spelled = f"^^{word.lower()}$"
        for i in range(len(spelled) - 2):
            letters[spelled[i : i + 2]].append(spelled[i + 2])
    return letters
