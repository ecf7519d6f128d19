"""The whole command on a model of a few words, and that the loops beside the service write what it writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bench.generation import main, open_language_model, tasks_of
from bench.generation_joins import RequestLevelSampler
from bench.generation_loops import raw_loop, write_together
from service.decoding.sampler import sample_all
from service.decoding.search import Prompt
from service.decoding.strategy import NumberedSearch
from service.errors import BundleError
from service.text.subwords import EOS_ID
from tests.fakes import LANGUAGE_MODEL, language_graphs, write_bundle, write_language_model

QUICK = (
    f"--model {LANGUAGE_MODEL} --concurrent 1 3 --count 6 --max-tokens 9 --rounds 1 --seconds 0.1 --no-eager".split()
)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    write_language_model(tmp_path / "models", graphs=language_graphs())
    return tmp_path / "models"


def prompts_of(models_dir: Path, lengths: Sequence[int]) -> list[Prompt]:
    _, model = open_language_model(models_dir, LANGUAGE_MODEL)
    return [task.prompt for task in tasks_of(model, LANGUAGE_MODEL, lengths, 0.0)]


def test_everything_is_measured_and_written(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "runs" / "figures.json"
    main(["--models-dir", str(models_dir), "--model", LANGUAGE_MODEL, "--output", str(output), *QUICK])
    printed = capsys.readouterr().out
    content = json.loads(output.read_text("utf-8"))
    assert list(content["speeds"]) == ["1 at once", "3 at once", "mixed lengths"]
    for speeds in content["speeds"].values():
        assert len(speeds) == 2
        assert all(each["way"] in printed and each["tokens_per_second"][0] > 0 for each in speeds)
    late = content["late"]
    assert late["num_tokens"] == [5, 5]
    assert late["runs"] >= 5
    assert min(late["alone"], late["joined"], late["long"]) > 0


@pytest.mark.parametrize("num_together", [1, 4])
def test_a_loop_over_the_graph_writes_what_the_engine_writes(models_dir: Path, num_together: int) -> None:
    _, model = open_language_model(models_dir, LANGUAGE_MODEL)
    prompts = prompts_of(models_dir, [12] * 7)
    written = raw_loop(model, num_together, 0.0)(prompts)
    samples = [answer[0] for answer in sample_all(model.graphs, prompts)]
    assert list(map(len, written)) == [sample.num_steps for sample in samples]
    for ids, sample in zip(written, samples, strict=True):
        text = model.pieces.subwords.decode([each for each in ids if each != EOS_ID])
        assert text.strip() == sample.text.strip()


def test_a_batch_is_done_when_its_longest_text_is(models_dir: Path) -> None:
    prompts = prompts_of(models_dir, [4, 4])
    steps: list[npt.NDArray[np.int32]] = []

    def step(tokens: npt.NDArray[np.int32], state: None) -> tuple[npt.NDArray[np.int32], None]:
        steps.append(tokens)
        return np.array([EOS_ID, len(steps) + EOS_ID], np.int32), None

    ended, longest = write_together(step, np.array([9, 9], np.int32), None, prompts)
    assert ended == (EOS_ID,)
    assert longest == tuple(EOS_ID + number for number in (1, 2, 3, 4))
    assert len(steps) == 4  # of two rows each


def test_at_request_level_prompts_join_once_all_earlier_ones_are_done(models_dir: Path) -> None:
    _, model = open_language_model(models_dir, LANGUAGE_MODEL)
    sampler = RequestLevelSampler(model.graphs, max_rows=4)
    assert sampler.room == 4
    sampler.admit([NumberedSearch(prompt, place) for place, prompt in enumerate(prompts_of(models_dir, [3]))])
    while len(sampler):
        assert sampler.room == 0
        for _ in sampler.step():
            pass
    assert sampler.room == 4


def test_only_a_language_model_will_do(models_dir: Path) -> None:
    write_bundle(models_dir)
    for name in ("nobody", "tiny-tagger"):
        with pytest.raises(BundleError, match=f"no language model '{name}'"):
            open_language_model(models_dir, name)
