"""Settings come from the environment once, and mistakes in it stop the start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.errors import SettingsError
from service.runtime.resources import available_cores
from service.serving.processes import settle_workers
from service.settings import (
    BEGIN,
    END,
    Settings,
    conflicts,
    default_of,
    main,
    meaning_and_cost,
    needs,
    rewritten,
    table,
    variable,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "operations.md"


def test_without_variables_every_setting_has_its_default() -> None:
    settings = Settings.from_environment({"PATH": "/bin", "HOST": "elsewhere"})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.max_items) == ("127.0.0.1", 8000, 128)


def test_variables_are_read_and_converted() -> None:
    environment = {"RIBBON_PORT": "8123", "RIBBON_WORKERS": "3", "RIBBON_MODELS_DIR": "/srv/models"}
    settings = Settings.from_environment(environment)
    assert (settings.port, settings.workers, settings.models_dir) == (8123, 3, Path("/srv/models"))


def test_auto_is_a_worker_for_each_core_but_one_where_a_gpu_may_be_used() -> None:
    automatic = Settings.from_environment({"RIBBON_WORKERS": "auto", "RIBBON_DEVICE": "cpu"})
    assert settle_workers(automatic).workers == available_cores()
    assert settle_workers(automatic.model_copy(update={"device": "cuda"})).workers == 1
    assert settle_workers(automatic.model_copy(update={"workers": 3})).workers == 3


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


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"RIBBON_MAX_TEXT_LENGTH": "200000"},
            (
                "RIBBON_MAX_TEXT_LENGTH=200000 and RIBBON_MAX_REQUEST_LENGTH=131072 (the default) cannot go together: "
                "one text may not be longer than all texts of its request; "
                "set RIBBON_MAX_TEXT_LENGTH to at most 131072 or RIBBON_MAX_REQUEST_LENGTH to at least 200000"
            ),
        ),
        (
            {"RIBBON_MAX_BODY_BYTES": "4003", "RIBBON_MAX_REQUEST_LENGTH": "1001", "RIBBON_MAX_TEXT_LENGTH": "9"},
            "set RIBBON_MAX_REQUEST_LENGTH to at most 1000 or RIBBON_MAX_BODY_BYTES to at least 4004",
        ),
        (
            {"RIBBON_MAX_QUEUED_CELLS": "100"},
            "set RIBBON_MAX_BATCH_CELLS to at most 100 or RIBBON_MAX_QUEUED_CELLS to at least 1024",
        ),
    ],
)
def test_values_that_cannot_go_together_are_refused_with_a_way_out(environment: Mapping[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment(environment)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_the_way_out_of_every_impossible_combination_is_one() -> None:
    Settings.from_environment({"RIBBON_MAX_TEXT_LENGTH": "131072"})
    Settings.from_environment({"RIBBON_MAX_REQUEST_LENGTH": "200000", "RIBBON_MAX_TEXT_LENGTH": "200000"})
    Settings.from_environment({"RIBBON_MAX_QUEUED_CELLS": "1024"})


def test_limits_of_bodies_follow_from_those_of_texts() -> None:
    """Every character of the longest texts may be sent as two escapes, and many such bodies at once."""
    settings = Settings.from_environment({"RIBBON_MAX_REQUEST_LENGTH": "200000"})
    assert settings.max_body_bytes == 12 * 200_000 + 262_144
    assert settings.max_bodies_bytes == 32 * settings.max_body_bytes
    assert Settings.from_environment({"RIBBON_MAX_BODY_BYTES": "1000000"}).max_bodies_bytes == 32_000_000
    with pytest.raises(SettingsError, match="a body that is allowed could never be read"):
        Settings.from_environment({"RIBBON_MAX_BODIES_BYTES": "1000000"})


def test_a_setting_that_needs_another_says_so() -> None:
    assert not [*needs(Settings(default_tagger="a", threads=2), "default_tagger", "threads", "it is a test")]
    assert not [*needs(Settings(), "default_tagger", "threads", "it is a test")]
    [line] = needs(Settings(default_tagger="a"), "default_tagger", "threads", "it is a test")
    assert line == (
        "RIBBON_DEFAULT_TAGGER=a needs RIBBON_THREADS: it is a test; set RIBBON_THREADS too, or leave "
        "RIBBON_DEFAULT_TAGGER out"
    )
    with pytest.raises(SettingsError, match=r"RIBBON_ADMIN_HOST=127\.0\.0\.1 needs RIBBON_ADMIN_PORT"):
        Settings.from_environment({"RIBBON_ADMIN_HOST": "127.0.0.1"})


@pytest.mark.parametrize(
    ("choices", "is_told"),
    [
        ({"port": 9000, "admin_port": 9000}, True),
        ({"port": 9000, "admin_port": 9000, "admin_host": "127.0.0.1"}, True),
        ({"port": 9000, "admin_port": 9000, "host": "0.0.0.0", "admin_host": "127.0.0.1"}, True),
        ({"port": 9000, "admin_port": 9000, "host": "10.0.0.1", "admin_host": "127.0.0.1"}, False),
        ({"port": 0, "admin_port": 0}, False),
        ({"port": 9000, "admin_port": 9001}, False),
        ({"port": 9000}, False),
    ],
)
def test_two_listeners_need_two_addresses(choices: Mapping[str, str | int], is_told: bool) -> None:
    told = "".join(conflicts(Settings(**choices)))
    assert ("RIBBON_ADMIN_PORT=9000 and RIBBON_PORT=9000 cannot go together" in told) is is_told


def test_a_burst_has_room_for_a_whole_request() -> None:
    with pytest.raises(
        SettingsError, match="set RIBBON_MAX_ITEMS to at most 100 or RIBBON_RATE_LIMIT_BURST to at least"
    ):
        Settings.from_environment({"RIBBON_RATE_LIMIT_ITEMS": "50", "RIBBON_RATE_LIMIT_BURST": "100"})


@pytest.mark.parametrize("origin", ["https://App.example.com", "https://app.example.com:443", "http://app:80"])
def test_an_origin_that_no_browser_would_send_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match=f"RIBBON_CORS_ORIGINS={origin}"):
        Settings.from_environment({"RIBBON_CORS_ORIGINS": origin})


@pytest.mark.parametrize("origin", ["*", "https://app.example.com:80", "http://app:8080", "http://[::1]:3000"])
def test_an_origin_that_browsers_send_is_taken(origin: str) -> None:
    assert Settings.from_environment({"RIBBON_CORS_ORIGINS": origin}).cors_origins == (origin,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RIBBON_DRAIN_SECONDS", "1e300"),
        ("RIBBON_DRAIN_TIMEOUT_SECONDS", "1e300"),
        ("RIBBON_RATE_LIMIT_ITEMS", "1e-320"),
        ("RIBBON_RATE_LIMIT_ITEMS", "1e300"),
        ("RIBBON_ADMIN_PORT", "65536"),
    ],
)
def test_a_number_that_nothing_can_be_done_with_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_what_kubernetes_sets_for_a_service_of_our_name_is_told_as_such() -> None:
    links = {
        "RIBBON_PORT": "tcp://10.0.0.1:8000",
        "RIBBON_PORT_8000_TCP_ADDR": "10.0.0.1",
        "RIBBON_SERVICE_HOST": "10.0.0.1",
        "RIBBON_SERVICE_PORT_HTTP": "8000",
    }
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({**links, "RIBBON_WORKRES": "2"})
    hint, misspelt = str(raised.value).splitlines()
    assert hint.startswith(", ".join(links))
    assert "enableServiceLinks: false" in hint
    assert "RIBBON_WORKERS" in misspelt


def test_an_empty_value_and_an_endless_time_are_refused() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({"RIBBON_DEFAULT_TAGGER": "", "RIBBON_DRAIN_SECONDS": "inf"})
    assert "RIBBON_DEFAULT_TAGGER is empty: leave it out" in str(raised.value)
    assert "RIBBON_DRAIN_SECONDS=inf: " in str(raised.value)


def test_the_table_for_people_is_the_one_of_the_class() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert rewritten(document) == document, "run make settings"
    for name, field in Settings.model_fields.items():
        default = f"`{default_of(field)}`" if default_of(field) else ""
        meaning, cost = meaning_and_cost(name)
        assert f"| `{variable(name)}` | {default} | {meaning} | {cost} |" in document


def test_every_setting_says_what_it_means_and_what_turning_it_up_costs() -> None:
    fields = Settings.model_fields
    assert [name for name in fields if not all(meaning_and_cost(name))] == [], (
        "a text under it that ends with 'Cost: ...'"
    )


def test_the_table_is_printed_and_written_between_its_marks(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(f"before\n{BEGIN}\nold | \\1 |\n{END}\nafter\n", encoding="utf-8")
    assert main([str(document)]) == table()
    assert document.read_text(encoding="utf-8") == f"before\n{BEGIN}\n{table()}\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no table between"):
        rewritten("no marks")
