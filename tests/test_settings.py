"""Settings come from the environment once, and mistakes in it stop the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.errors import SettingsError
from service.settings import Settings, variables

DOCUMENT = Path(__file__).parents[1] / "docs" / "operations.md"


def test_without_variables_every_setting_has_its_default() -> None:
    settings = Settings.from_environment({"PATH": "/bin", "HOST": "elsewhere"})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.max_items) == ("127.0.0.1", 8000, 128)


def test_variables_are_read_and_converted() -> None:
    environment = {"RIBBON_PORT": "8123", "RIBBON_WORKERS": "3", "RIBBON_MODELS_DIR": "/srv/models"}
    settings = Settings.from_environment(environment)
    assert (settings.port, settings.workers, settings.models_dir) == (8123, 3, Path("/srv/models"))


@pytest.mark.parametrize(
    ("misspelt", "right"),
    [
        ("RIBBON_WORKRES", "RIBBON_WORKERS"),
        ("RIBBON_MODEL_DIR", "RIBBON_MODELS_DIR"),
        ("RIBBON_MAXITEMS", "RIBBON_MAX_ITEMS"),
        ("RIBBON_port", "RIBBON_PORT"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_right_one(misspelt: str, right: str) -> None:
    with pytest.raises(SettingsError, match=f"{misspelt} is not a setting; did you mean {right}"):
        Settings.from_environment({misspelt: "1"})


def test_whatever_follows_the_prefix_is_answered_with_some_setting() -> None:
    with pytest.raises(SettingsError, match="did you mean RIBBON_"):
        Settings.from_environment({"RIBBON_": "", "RIBBON_ÿ": "x"})


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({"RIBBON_PORT": "http", "RIBBON_DEVICE": "tpu", "RIBBON_WORKERS": "0"})
    for name in ("RIBBON_PORT=http", "RIBBON_DEVICE=tpu", "RIBBON_WORKERS=0"):
        assert name in str(raised.value)


def test_settings_are_a_value() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_the_table_for_people_has_every_variable_with_its_default() -> None:
    table = DOCUMENT.read_text(encoding="utf-8")
    for name, field in zip(variables(), Settings.model_fields.values(), strict=True):
        default = "" if field.default is None else f"`{field.default}`"
        assert f"| `{name}` | {default} |" in table, name
