"""A small language model of dialogues: it learns to write the bot's words, and is asked what it remembers."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan

import torch
from sentencepiece import SentencePieceTrainer
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords
from training.experiments.dialogues import BOT, UNLISTED, USER, Dialogue, DialogueMaker, Turn, grammar, values_of
from training.loop import has_fast_bfloat16
from training.networks.language_model import FORWARDS, LanguageModel, LanguageModelConfig

MASTERED, ENOUGH = 0.9, 0.995  # shares of values right: to go on to longer dialogues, and to stop
END_SHOWN = 0.7  # of dialogues show the ends of answers before the last
BREAK = "\n"
USERS, BOTS, TOLD, ASKED = range(4)  # kinds of tokens
VALUE_REPEATS = 200  # of each value in the text that subwords are learned from, so that it is one piece
KEEP_EVERY = 200  # steps
PLAIN_SHARE = 0.25  # of the bot's words that are no value, which are many and soon known, count in a step
# Steps over which the units of an LSTM keep what they hold when training begins: one half some words, the other several
# times the longest dialogue, and lets little in (the entering gates' biases are lowered).
WORDS_KEPT, DIALOGUES_KEPT, SHUT = (1, 30), (300, 3000), 2.0
EMBEDDING_DEVIATION = 0.4  # at the start; large, so that words can be told apart in the first steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DialogueBatch:
    """Padded dialogues, and what the token behind each position is: the user's, the bot's, or in an answer of the bot
    part of a value that the user has just told or that was told before and is asked for."""

    ids: Tensor  # (batch, time)
    kinds: Tensor  # (batch, time - 1)
    rows: Tensor  # (place,) of the places where it is asked which facts are known, after each turn: which row
    times: Tensor  # (place,) and behind which token of it
    known: Tensor  # (place, kind of fact): number of the value, see :func:`numbered`


class DialogueReader:
    """Dialogues as ids, each turn ``User: ... Bot: ...`` and an end after each answer.

    Clients part turns by spaces or line breaks, and may leave out the end of an answer that they put into a prompt: a
    dialogue that is read is of either kind, by chance.
    """

    def __init__(self, subwords: Subwords) -> None:
        self.subwords = subwords
        self.encode = lru_cache(maxsize=100_000)(lambda text: tuple(subwords.encode(text)))
        self._num_break = len(subwords.encode(BREAK))

    @classmethod
    def learn(cls, maker: DialogueMaker, *, size: int, num_dialogues: int = 3000) -> DialogueReader:
        """A reader whose subwords are learned from some dialogues."""
        turns = [turn for _ in range(num_dialogues) for turn in maker.dialogue(4)]
        texts = [f"{USER} {turn.user}{BREAK}{BOT} {turn.bot}{BREAK}{USER}" for turn in turns]
        values = [value for kind in maker.kinds for value in maker.values[kind]]
        texts += VALUE_REPEATS * (values + [value.lower() for value in values] * bool(maker.careless))
        model = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",  # frequent words are whole: a grammar has few
            vocab_size=size,
            pad_id=PAD_ID,
            unk_id=UNK_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            user_defined_symbols=[BREAK, *(space + who for who in (USER, BOT) for space in ("\u2581", ""))],
            byte_fallback=True,
            hard_vocab_limit=False,
            normalization_rule_name="identity",
            num_threads=1,
            minloglevel=1,
        )
        return cls(Subwords.load(model.getvalue(), symbols=()))

    def encode_after(self, text: str) -> tuple[int, ...]:
        """The ids of a text as it stands behind another, without the space that a first piece begins with."""
        return self.encode(BREAK + text)[self._num_break :]

    def read(self, dialogue: Dialogue) -> tuple[list[int], list[int], list[int]]:
        """The ids of a dialogue, their kinds, and where each turn ends: behind the bot's last word."""
        parting = random.choice((" ", BREAK))
        end = [EOS_ID] if random.random() < END_SHOWN else []
        ids, kinds, ends = [EOS_ID], [USERS], []
        for turn in dialogue:
            user = f"{USER} {turn.user}"
            if ids[-1] != EOS_ID:
                prompt = self.encode_after(parting + user)
            elif turn is dialogue[0] or parting == " " or random.random() < 0.5:
                prompt = self.encode(user)
            else:
                prompt = self.encode(parting + user)
            prompt += self.encode_after(parting + BOT)
            before, value, behind = self.split_answer(turn)
            last = end if turn is not dialogue[-1] else [EOS_ID]
            ids += [*prompt, *before, *value, *behind, *last]
            ends.append(len(ids) - len(last) - 1)
            kinds += [USERS] * len(prompt) + [BOTS] * len(before)
            kinds += [ASKED if turn.asked else TOLD] * len(value) + [BOTS] * (len(behind) + len(last))
        return ids, kinds, ends

    def split_answer(self, turn: Turn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The ids of the bot's answer: before its value, of the value, behind it; without a value all is before."""
        if turn.value not in turn.bot or not turn.value:
            return self.encode(turn.bot), (), ()
        before, value, behind = turn.bot.partition(turn.value)
        whole = self.encode(value + behind)
        num_behind = len(self.encode("x" + behind)) - len(self.encode("x"))
        return self.encode(before.strip()), whole[: len(whole) - num_behind], whole[len(whole) - num_behind :]

    def batch(self, dialogues: Sequence[Dialogue]) -> DialogueBatch:
        """The dialogues as one padded batch."""
        rows = [self.read(dialogue) for dialogue in dialogues]
        ids, kinds = (pad_sequence([torch.tensor(row[i]) for row in rows], batch_first=True) for i in (0, 1))
        places = [(row, time) for row, (_, _, ends) in enumerate(rows) for time in ends]
        known = [numbered(turn.known) for dialogue in dialogues for turn in dialogue]
        row, time = torch.tensor(places).T
        return DialogueBatch(ids=ids, kinds=kinds[:, 1:], rows=row, times=time, known=torch.tensor(known))


@lru_cache
def _numbers_of(kind: str) -> Mapping[str, int]:
    return {value: number for number, value in enumerate(("", UNLISTED, *values_of(kind)))}


def numbered(known: Mapping[str, str]) -> list[int]:
    """The number of the value of each kind of fact: 0 if it was not told, 1 if its value is in no list."""
    return [_numbers_of(kind)[known.get(kind, "")] for kind in grammar()["facts"]]


class DialogueNetwork(nn.Module):
    """A language model of one recurrent layer. With ``attention`` each step also sees a mean of the states before it,
    weighted by what it asks for (Luong et al. 2015); without, ``model`` is all of it and can be published.

    With ``recalling`` a linear layer reads, while it is trained, from the state after each turn which facts have been
    told: a loss at every turn instead of one many turns later, over which no gradient comes back (an auxiliary loss for
    memory: Trinh et al. 2018). Nothing else uses the layer.
    """

    def __init__(
        self,
        *,
        cell: str,
        num_words: int,
        word_size: int,
        hidden_size: int,
        attention: bool = False,
        recalling: bool = False,
    ) -> None:
        super().__init__()
        config = LanguageModelConfig(cell=cell, embedding_size=word_size, hidden_size=hidden_size, dropout=0.0)
        self.model = LanguageModel(vocabulary_size=num_words, config=config)
        nn.init.normal_(self.model.embedding.weight, std=EMBEDDING_DEVIATION)
        self.direction = self.model.directions[FORWARDS]
        if cell == "lstm":
            start_gates(self.direction.encoder.forwards[0])
        self.keys = nn.Linear(hidden_size, hidden_size) if attention else None
        self.mix = nn.Linear(2 * hidden_size, hidden_size) if attention else None
        kinds = grammar()["facts"] if recalling else ()
        self.recall = nn.ModuleList(nn.Linear(hidden_size, len(_numbers_of(kind))) for kind in kinds)

    def states(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return states (batch, time, hidden) of ids (batch, time), and with attention its weights (batch, time,
        time)."""
        states, _ = self.direction.encoder.advance(self.model.input_norm(self.model.embedding(ids)), None)
        if self.keys is None or self.mix is None:
            return states, None
        scores = self.keys(states) @ states.transpose(1, 2) / states.shape[-1] ** 0.5
        is_later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu()
        is_later[0, 0] = False  # the first has nothing but itself
        weights = scores.masked_fill(is_later, -torch.inf).softmax(-1)
        return torch.tanh(self.mix(torch.cat([weights @ states, states], dim=-1))), weights

    def logits(self, states: Tensor) -> Tensor:
        """States (..., hidden) -> logits (..., word) of the next token."""
        readout = torch.tanh(self.direction.readout(states))
        return functional.linear(readout, self.model.embedding.weight, self.model.output_bias)

    def loss(self, batch: DialogueBatch) -> tuple[Tensor, float]:
        """The mean negative log-likelihood of the bot's tokens in nats, of those that are no value a random part, plus
        those of values told and asked for, which are few and what matters, and with ``recalling`` of the facts known
        after each turn; and the share of values asked for that are right."""
        states, _ = self.states(batch.ids[:, :-1])
        counts = (batch.kinds == BOTS) & (torch.rand(batch.kinds.shape) < PLAIN_SHARE) | (batch.kinds > BOTS)
        logits, targets, kinds = self.logits(states[counts]), batch.ids[:, 1:][counts], batch.kinds[counts]
        losses = functional.cross_entropy(logits, targets, reduction="none")
        parts = [losses, *(losses[kinds == kind] for kind in (TOLD, ASKED))]
        at_ends = states[batch.rows, batch.times]  # (place, hidden)
        for column, head in enumerate(self.recall):
            parts.append(functional.cross_entropy(head(at_ends), batch.known[:, column], reduction="none"))
        is_right = (logits.argmax(-1) == targets)[kinds == ASKED]
        return sum(part.mean() for part in parts if len(part)), float(is_right.float().mean())


def start_gates(layer: nn.LSTM) -> None:
    """Set the gates' biases of a new layer so that half of its units keep what they hold for words and half for whole
    dialogues (chrono initialisation: Tallec and Ollivier 2018)."""
    size = layer.hidden_size
    entering, forget = layer.bias_hh_l0.data[:size], layer.bias_hh_l0.data[size : 2 * size]
    for half, kept in ((slice(size // 2), DIALOGUES_KEPT), (slice(size // 2, size), WORDS_KEPT)):
        forget[half] = torch.empty_like(forget[half]).uniform_(*kept).log()
    entering[: size // 2] -= SHUT


def train(
    network: DialogueNetwork,
    reader: DialogueReader,
    maker: DialogueMaker,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    max_turns: int,
    first_turns: int = 2,
    more_turns: int = 1,
    mastered: float = MASTERED,
    keep: Callable[[], None] = lambda: None,
) -> list[int]:
    """Train on dialogues of ``first_turns`` at first, of ``more_turns`` more as soon as ``mastered`` of the values that
    are asked for in the longest are right, up to ``max_turns``, and until ``ENOUGH`` are; return after how many steps
    each length was reached. ``keep`` is called every ``KEEP_EVERY`` steps, so that a long training can be broken
    off."""
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 50, 0.02 + 2 * (1 - step / steps))
    )
    reached, right = [0], 0.0
    for step in range(steps):
        most = min(max_turns, first_turns + more_turns * (len(reached) - 1))
        num_turns = maker.rng.choice([most, maker.rng.randint(2, most)])
        batch = reader.batch(training_dialogues(maker, num_turns, batch_size))
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16(torch.device("cpu"))):
            loss, share = network.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if num_turns == most and not isnan(share):  # it is if nothing was asked for
            right += 0.1 * (share - right)
        if right > mastered and most < max_turns:
            reached.append(step + 1)
            right = min(right, 0.5)
        if (step + 1) % KEEP_EVERY == 0:
            keep()
        if right > ENOUGH and most == max_turns:
            break
        if (step + 1) % 100 == 0:
            print(f"  step {step + 1}: loss {loss.item():.3f}, {most} turns, {100 * right:.0f} % right", flush=True)
    return reached


def training_dialogues(maker: DialogueMaker, num_turns: int, count: int) -> list[Dialogue]:
    """Dialogues of so many turns. In two of three the last one asks for something told before, over any distance."""
    dialogues = []
    for number in range(count):
        asked = maker.rng.choice(maker.kinds) if number % 3 else ""
        dialogues.append(maker.dialogue(num_turns, asked=asked, distance=maker.rng.randint(1, num_turns - 1)))
    return dialogues


@torch.inference_mode()
def remembers(network: DialogueNetwork, reader: DialogueReader, dialogues: Sequence[Dialogue]) -> list[bool]:
    """Whether the network, which has read a dialogue up to the last question and the answer's first words, goes on with
    the right value to the end of the answer by always taking the likeliest token. If nothing was told, the whole
    answer must be right."""
    right = []
    for start in range(0, len(dialogues), 100):
        some = dialogues[start : start + 100]
        batch = reader.batch(some)
        states, _ = network.states(batch.ids[:, :-1])
        for row, dialogue in enumerate(some):
            length = int((batch.ids[row] != PAD_ID).sum())
            before, value, behind = reader.split_answer(dialogue[-1])
            count = (len(value) + len(behind) if value else len(before)) + 1  # and the end
            guesses = network.logits(states[row, length - 1 - count : length - 1]).argmax(-1)
            right.append(bool((guesses == batch.ids[row, length - count : length]).all()))
    return right
