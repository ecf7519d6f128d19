from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.chaos.bundles import DAMAGES, ModelsFolder
from service.bundle import load_bundle
from service.errors import BundleError
from service.predictors.predictor import replay
from service.predictors.tagger import Tagger
from service.runtime.session import OnnxSession
from tests.fakes import lexicon_graph, write_bundle

OF_THE_ANSWERS = "examples that it does not answer"  # seen only by running the model


@pytest.fixture
def models(tmp_path: Path) -> ModelsFolder:
    source = write_bundle(tmp_path / "source", graph=lexicon_graph())
    return ModelsFolder.of({"model": source}, tmp_path / "instance")


def prove(folder: Path) -> None:
    """As the service does it before it serves a bundle."""
    bundle = load_bundle(folder)
    precision = bundle.manifest.default_precision
    replay(Tagger(bundle, OnnxSession(bundle.graph(precision))), bundle, precision=precision)


def test_a_new_version_lies_beside_the_old_one_and_both_are_good(models: ModelsFolder) -> None:
    before = load_bundle(models.folder / "model")
    models.add_version("model", "1.7.0")
    prove(models.folder / "model-1.7.0")
    assert load_bundle(models.folder / "model-1.7.0").manifest.version == "1.7.0"
    assert load_bundle(models.folder / "model") == before
    models.take_away("model-1.7.0")
    assert [path.name for path in models.folder.iterdir()] == ["model"]
    assert list(models.workshop.iterdir()) == []


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("seed", range(3))
def test_every_damage_is_one(models: ModelsFolder, damage: str, seed: int) -> None:
    models.add_damaged("model", "9.9.0", DAMAGES[damage], random.Random(seed))
    with pytest.raises(BundleError):
        prove(models.folder / "model-9.9.0")
    prove(models.folder / "model")


def test_other_answers_are_found_by_replaying_alone(models: ModelsFolder) -> None:
    models.add_damaged("model", "9.9.0", DAMAGES[OF_THE_ANSWERS], random.Random(1))
    assert load_bundle(models.folder / "model-9.9.0").manifest.version == "9.9.0"


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_replaced_comes_back_as_it_was(models: ModelsFolder, damage: str) -> None:
    before = load_bundle(models.folder / "model")
    models.replace_with_damaged("model", DAMAGES[damage], random.Random(5))
    with pytest.raises(BundleError):
        prove(models.folder / "model")
    models.restore("model")
    assert load_bundle(models.folder / "model") == before
    assert list(models.workshop.iterdir()) == []
