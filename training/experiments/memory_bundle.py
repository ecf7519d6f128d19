"""The bundle of ``en-memory``: graphs, subwords, examples, card and manifest, and its answers measured as it ships."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.bundle import CARD, write_manifest
from service.text.subwords import EOS_ID
from training.card import default_text, join_sections
from training.card import table as card_table
from training.config import FitConfig
from training.corpora.columns import blocks
from training.corpora.sources import CorpusError, locate
from training.experiments.dialogues import BOT, USER, Dialogue, DialogueMaker, Turn, unlisted_answer, values_of
from training.language_model.card import network_text, terms_of
from training.language_model.config import LanguageModelRun
from training.language_model.export import make_final
from training.language_model.predict import LanguageModelBundle
from training.language_model.publish import manifest_of, prove, write_answering
from training.networks.language_model import LanguageModel

NAME, VERSION = "en-memory", "1.1.0"
DESCRIPTION = (
    "Holds a small conversation and remembers name, town, job, liking and timer: a demonstration of recurrent state"
)
LICENCE = "CC0 1.0; it was trained on dialogues made by a grammar of this project and on no corpus"
PRECISIONS = ("int8", "fp32")
LONGEST_ANSWER = 24  # tokens
EXAMPLES_OF = (
    "My name is Alice.",
    "I live in Paris.",
    "I work as a teacher.",
    "Set a timer for 15 minutes.",
    "How are you?",
    "What is my name?",
    "I really like chess.",
)
# The answers of the corpus dialogue-memory that repeat something, by kind of fact.
REPEATED = {
    "name": re.compile(r"Your name is (.+)\.$"),
    "town": re.compile(r"You (?:told me that you )?live in (.+)\.$"),
    "job": re.compile(r"You (?:work as|are) an? (.+)\.$"),
    "liking": re.compile(r"You (?:said that you )?like (.+)\.$"),
}
CARD_TEXT = """
A language model that was shown nothing but conversations: what a user says, and what a bot answers. It keeps what it
was told in its recurrent state, a vector of {state} numbers, and answers at a cost that does not grow with the length
of the conversation. It is a demonstration, not an assistant: it knows the sentences of its grammar
(`training/experiments/dialogue_grammar.toml`) and little beside them.

## How to ask it

A prompt is what was said so far; it ends with `Bot:`. With `return_state` and `state` a conversation goes on turn by
turn, and only what is new is sent.

```json
{{"model": "en-memory", "temperature": 0, "prompt": "User: My name is Alice.\\nBot:", "return_state": true}}
{{"model": "en-memory", "temperature": 0, "prompt": "User: What's my name?\\nBot:", "state": "..."}}
```
"""
RECIPE = """
Beside the bot's words the network learns to tell after each turn, by a linear layer that is thrown away, which facts it
has been told: a loss at every turn. Half of its units begin with forget gates that keep for several dialogues and
entering gates that are nearly shut. Dialogues have two turns at first, and two more whenever 80 % of what is asked for
is right. Three commands, {seconds:.0f} seconds of one core: the first was stopped after 1,400 steps, when dialogues of
twelve turns were reached; the second ended by itself, since 99.5 % of what was asked for was right; the third has more
values that are in no list.

```
python -m training.experiments.memory_model --run-dir runs/en-memory-1
python -m training.experiments.memory_model --run-dir runs/en-memory-2 --starts-from runs/en-memory-1/partial.pt \\
  --first-turns 12 --steps 3000 --learning-rate 5e-3 --seed 2
python -m training.experiments.memory_model --starts-from runs/en-memory-2/best.pt --first-turns 12 --steps 600 \\
  --learning-rate 2.5e-3 --made-up 0.2 --careless 0.3 --joined 0.2 --seed 3 --bundle models/en-memory
```
"""
MEASURED = """
Whole conversations of {max_turns} turns, the likeliest token at each step; {count} of each kind. `dialogue-memory` is
a set of dialogues made by others; "listed" are values of the grammar's lists, "other words" those that the model has
never seen.
"""
LIMITS = """
- Names, towns, jobs and likings of its lists ({lists}). Of others it sees pieces only: it should say that it does not
  know them, and sometimes takes them for a value that it knows; see the rows above.
- It says "You have not told me yet." if it was not told; sometimes it makes something up instead.
- One sentence a turn, or two that tell one thing each. Questions of other kinds have an answer of small talk at best.
- It was trained on conversations of up to {max_turns} turns, and learned to write the bot's words only: what it
  expects of a user is not meaningful.
"""


def publish(
    network: LanguageModel,
    *,
    run: Path,
    folder: Path,
    facts: Mapping[str, Any],
    sets: Mapping[str, Sequence[Dialogue]],
) -> Any:
    """Write the bundle; return the shares of right answers to ``sets`` by precision and set.

    Raises ExportError, before anything is written, if the graphs do not do what the network does.
    """
    network.cpu().eval()
    make_final(network)
    config = LanguageModelRun(
        name=NAME,
        version=VERSION,
        description=DESCRIPTION,
        vocabulary_size=len(network.output_bias),
        sources=(),
        network=network.config,
        fit=FitConfig(num_epochs=1, learning_rate=facts["settings"]["learning_rate"]),
    )
    both = run / "bundle"
    described: dict[str, Any] = {
        "terms": terms_of(config),
        "example_prompts": [f"{USER} {said}\n{BOT}" for said in EXAMPLES_OF],
        "example_units": 4,
    }
    write_answering(network, config, run, both, precisions=PRECISIONS, **described)
    measured = {
        precision: {name: recall(LanguageModelBundle.open(both, precision), each) for name, each in sets.items()}
        for precision in PRECISIONS
    }
    difference = write_answering(network, config, run, folder, precisions=PRECISIONS[:1], **described)
    manifest = manifest_of_memory(config, network, measured)
    (folder / CARD).write_text(card(config, network, manifest, measured, difference, facts), encoding="utf-8")
    write_manifest(folder, manifest)
    prove(folder)
    return measured


def manifest_of_memory(config: LanguageModelRun, network: LanguageModel, measured: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of the bundle that ships."""
    shipped = PRECISIONS[0]
    manifest = manifest_of(config, network, terms=terms_of(config), dev={shipped: {}}, test={})
    figures = {f"recall {name}": round(100 * share, 1) for name, share in measured[shipped].items()}
    manifest["precisions"][shipped]["metrics"] = figures
    return manifest | {"licence": LICENCE, "metrics": figures}


def prompt_of(turns: Sequence[Turn]) -> str:
    """A conversation up to where the bot answers the last turn."""
    said = [f"{USER} {turn.user}\n{BOT} {turn.bot}" for turn in turns[:-1]]
    return "\n".join([*said, f"{USER} {turns[-1].user}\n{BOT}"])


def questions(max_turns: int, count: int, num_values: int = 1000) -> dict[str, list[Dialogue]]:
    """Dialogues that end with a question, by what they test: the first values of all lists, seeds that training does
    not use."""
    maker = DialogueMaker(seed=1000, num_values=num_values)
    sets = {
        f"name, {distance} turns": [maker.dialogue(max_turns, asked="name", distance=distance) for _ in range(count)]
        for distance in range(1, max_turns)
    }
    for kind in maker.kinds[1:]:
        sets[kind] = [maker.dialogue(max_turns, asked=kind, distance=maker.rng.randint(1, max_turns - 1))
                      for _ in range(count)]  # fmt: skip
    inventor = DialogueMaker(seed=1001, num_values=num_values, made_up=1.0)
    sets["name in no list: says so"] = [inventor.dialogue(4, asked="name", distance=2) for _ in range(count)]
    careless = DialogueMaker(seed=1002, num_values=num_values, careless=1.0, joined=0.5)
    sets["name, 5 turns, typed carelessly"] = [
        careless.dialogue(max_turns, asked="name", distance=5) for _ in range(count)
    ]
    return sets


def gathered_dialogues(data_dir: Path | None, num_values: int = 1000) -> dict[str, list[Dialogue]]:
    """The test questions of the corpus dialogue-memory, whose wording the grammar shares: by whether the value is in
    the grammar's lists. Nothing if the corpus is not there."""
    try:
        path = locate("dialogue-memory/test", data_dir=data_dir)
    except CorpusError:
        return {}
    listed = {value for kind in REPEATED for value in values_of(kind, num_values)}
    sets: dict[str, list[Dialogue]] = defaultdict(list)
    for block in blocks(path):
        lines = [line.split("\t")[1] for line in block]
        turns = [Turn(user=user, bot=bot) for user, bot in zip(lines[::2], lines[1::2], strict=True)]
        for place, turn in enumerate(turns):
            found = next(filter(None, (answers.match(turn.bot) for answers in REPEATED.values())), None)
            if found or turn.bot == "You have not told me yet.":
                name = ("listed" if found[1] in listed else "other words") if found else "never told"
                asked = Turn(user=turn.user, bot=turn.bot, asked="?", value=found[1] if found else "")
                sets[f"dialogue-memory, {name}"].append([*turns[:place], asked])
                if name == "other words":
                    kind = next(kind for kind, answers in REPEATED.items() if answers.match(turn.bot))
                    answer = Turn(user=turn.user, bot=unlisted_answer(kind), asked=kind)
                    sets["dialogue-memory, other words: says so"].append([*turns[:place], answer])
    return {name: dialogues[:100] for name, dialogues in sorted(sets.items())}


def recall(model: LanguageModelBundle, dialogues: Sequence[Dialogue]) -> float:
    """The share of dialogues whose last question is answered with the right value, by always the likeliest token."""
    right = 0
    for dialogue in dialogues:
        ids = model.greedy(prompt_of(dialogue), LONGEST_ANSWER).ids
        answer = model.subwords.decode([each for each in ids if each != EOS_ID])
        value = dialogue[-1].value
        words = re.split(r"[^\w-]+", answer)
        right += (f" {value} " in f" {' '.join(words)} ") if value else answer == dialogue[-1].bot
    return right / len(dialogues)


def card(
    config: LanguageModelRun,
    network: LanguageModel,
    manifest: Mapping[str, Any],
    measured: Mapping[str, Mapping[str, float]],
    difference: float,
    facts: Mapping[str, Any],
) -> str:
    """The card as Markdown."""
    rows = [[name, *(f"{100 * measured[each][name]:.0f}" for each in PRECISIONS)] for name in measured[PRECISIONS[0]]]
    num_values = facts["settings"]["num_values"]
    lists = ", ".join(f"{len(values_of(kind, num_values))} {kind}s" for kind in ("name", "town", "job", "liking"))
    settings, seconds = facts["settings"], facts["seconds"]
    recipe = RECIPE.format(seconds=seconds["cpu"])
    return join_sections(
        [
            f"# {config.name} {config.version}",
            f"{config.description}.",
            CARD_TEXT.format(state=2 * network.config.hidden_size),
            "## Network",
            network_text(config, network),
            "## Data and terms",
            f"{LICENCE}. Dialogues are made anew for every step.",
            "## Recipe",
            recipe,
            "## Right answers, %",
            MEASURED.format(max_turns=settings["max_turns"], count=f"{settings['num_questions']} to 100"),
            card_table(["asked for", *PRECISIONS], rows),
            default_text(manifest, difference, "log-probability or state"),
            "## Limits",
            LIMITS.format(lists=lists, max_turns=settings["max_turns"]),
        ]
    )
