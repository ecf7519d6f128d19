from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from training.config import FitConfig, load_config


@dataclass(frozen=True, kw_only=True)
class Network:
    widths: tuple[int, ...] = (2, 3)
    size: int = 8


@dataclass(frozen=True, kw_only=True)
class Run:
    name: str
    network: Network = field(default_factory=Network)
    fit: FitConfig


MINIMUM = 'name = "x"\n[fit]\nnum_epochs = 2\nlearning_rate = 1e-3\n'


def load(tmp_path, text):
    (tmp_path / "run.toml").write_text(text, encoding="utf-8")
    return load_config(Run, tmp_path / "run.toml")


def test_what_is_not_said_has_its_default(tmp_path):
    run = load(tmp_path, MINIMUM)
    assert run == Run(name="x", fit=FitConfig(num_epochs=2, learning_rate=1e-3))


def test_tables_are_values_and_lists_are_tuples(tmp_path):
    assert load(tmp_path, MINIMUM + "[network]\nwidths = [4, 5]\n").network == Network(widths=(4, 5))


def test_a_file_that_extends_another_has_its_other_values(tmp_path):
    (tmp_path / "base.toml").write_text(MINIMUM + "[network]\nsize = 4\nwidths = [4, 5]\n", encoding="utf-8")
    run = load(tmp_path, 'extends = "base.toml"\nname = "y"\n[network]\nsize = 5\n[fit]\nseed = 7\n')
    fit = FitConfig(num_epochs=2, learning_rate=1e-3, seed=7)
    assert run == Run(name="y", network=Network(widths=(4, 5), size=5), fit=fit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('colour = "red"\n' + MINIMUM, "unknown colour; known: fit, name, network"),
        (MINIMUM + "epochs = 3\n", "unknown fit.epochs; known: .*num_epochs"),
        (MINIMUM + "[network]\nsizes = 3\n", "unknown network.sizes; known: size, widths"),
        ('name = "x"\n[fit]\nnum_epochs = 2\n', "fit: .*'learning_rate'"),
        ('name = "x"\n', "configuration: .*'fit'"),
        ('name = "x"\nfit = 3\n', "fit: expected a table, not 3"),
        ("name =\n", "line 1"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, text)


def test_every_published_configuration_is_sound():
    pytest.importorskip("torch")
    from training.classifier.config import ClassifierRun
    from training.language_model.config import LanguageModelRun
    from training.tagger.config import TaggerRun
    from training.tagger.pretrain import PretrainingRun
    from training.translator.config import TranslatorRun

    kinds = {
        "en-tagger*": TaggerRun,
        "en-teacher-*": TaggerRun,
        "en-encoder": PretrainingRun,
        "en-lm*": LanguageModelRun,
        "en-char": LanguageModelRun,
        "ptb*": LanguageModelRun,
        "multi30k*": TranslatorRun,
        "en-es*": TranslatorRun,
        "en-de*": TranslatorRun,
        "en-fr*": TranslatorRun,
        "xx-en": TranslatorRun,
        "en-xx*": TranslatorRun,
    }
    for path in (Path(__file__).parents[2] / "training" / "configs").glob("*.toml"):
        kind = next((kind for pattern, kind in kinds.items() if path.match(f"{pattern}.toml")), ClassifierRun)
        assert load_config(kind, path).name == path.stem
