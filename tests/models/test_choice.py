"""Which model answers: several of a task, several versions of one, and precisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from service.bundle import write_manifest
from service.errors import BundleError, SettingsError
from service.models.loading import load_models
from tests.application import Serve, Served, problem_of
from tests.fakes import (
    CLASSIFIER,
    GRAPH,
    NAME,
    TRANSLATOR,
    FakeSession,
    OpenFake,
    manifest,
    settings_for,
    write_bundle,
    write_classifier,
    write_translator,
)

VERSIONS = ("1.9.0", "1.10.0", "1.10.0rc1", "1.2.0")
FALLING = ["1.10.0", "1.10.0rc1", "1.9.0", "1.2.0"]
Write = Callable[..., Path]
each_task = pytest.mark.parametrize(
    ("route", "setting", "write", "name"),
    [
        ("/tag", "default_tagger", write_bundle, NAME),
        ("/classify", "default_classifier", write_classifier, CLASSIFIER),
        ("/translate", "default_translator", write_translator, TRANSLATOR),
    ],
)


def answerer(served: Served, route: str, **request: str) -> str:
    model = served.ask(route, text="x", **request)["model"]
    return f"{model['name']}@{model['version']}"


def write_all(write: Write, models: Path) -> None:
    for number, version in enumerate(VERSIONS):
        write(models, version=version, folder=f"folder-{number}")


@each_task
def test_a_bare_name_is_the_highest_version_and_each_can_be_named(
    serve: Serve, tmp_path: Path, route: str, setting: str, write: Write, name: str
) -> None:
    write_all(write, tmp_path / "models")
    served = serve()
    assert answerer(served, route) == answerer(served, route, model=name) == f"{name}@1.10.0"
    for version in VERSIONS:
        assert answerer(served, route, model=f"{name}@{version}") == f"{name}@{version}"
    listed = [(model["version"], model["default"]) for model in served.client.get("/models").json()["models"]]
    assert listed == [(version, version == "1.10.0") for version in FALLING]


@each_task
def test_an_unknown_version_lists_the_known(
    serve: Serve, tmp_path: Path, route: str, setting: str, write: Write, name: str
) -> None:
    write_all(write, tmp_path / "models")
    served = serve()
    for unknown in (f"{name}@1.10.1", f"{name}@1.10", f"{name}@", "@1.9.0", "1.9.0"):
        document = problem_of(served.post(route, text="x", model=unknown), 404, "unknown_model")
        assert document["detail"].endswith(f"known: {', '.join(f'{name}@{version}' for version in FALLING)}")


@each_task
def test_the_default_may_be_a_version_or_the_highest_of_a_name(
    serve: Serve, tmp_path: Path, route: str, setting: str, write: Write, name: str
) -> None:
    write_all(write, tmp_path / "models")
    write(tmp_path / "models", name="a-model", version="7.0")
    pinned = serve(**{setting: f"{name}@1.9.0"})
    assert answerer(pinned, route) == f"{name}@1.9.0"
    assert answerer(pinned, route, model=name) == f"{name}@1.10.0"
    assert [each["version"] for each in pinned.client.get("/models").json()["models"] if each["default"]] == ["1.9.0"]
    assert answerer(serve(**{setting: name}), route) == f"{name}@1.10.0"
    assert answerer(serve(), route) == "a-model@7.0"


def test_of_a_name_the_highest_version_alone_says_whether_it_is_the_default(serve: Serve, tmp_path: Path) -> None:
    models = tmp_path / "models"
    write_bundle(models, name="a", version="1.0", folder="a1", default=True)
    write_bundle(models, name="a", version="2.0", folder="a2")
    write_bundle(models, name="b", version="1.0", folder="b1", default=True)
    write_bundle(models, name="b", version="2.0", folder="b2", default=True)
    assert answerer(serve(), "/tag") == "b@2.0"


def test_a_translator_s_lower_versions_are_asked_only_by_name(serve: Serve, tmp_path: Path) -> None:
    models = tmp_path / "models"
    write_translator(models, version="1.0", folder="one", targets=("es", "de"))
    write_translator(models, version="2.0", folder="two", targets=("es",))
    served = serve()
    problem_of(served.post("/translate", text="x", target="de"), 422, "invalid_request")
    assert answerer(served, "/translate", target="de", model=f"{TRANSLATOR}@1.0") == f"{TRANSLATOR}@1.0"


@pytest.mark.parametrize("again", ["1.0.0", "1.0"])
def test_the_same_version_twice_is_refused_with_both_folders(tmp_path: Path, again: str) -> None:
    write_bundle(tmp_path, version="1.0.0", folder="one")
    write_bundle(tmp_path, version=again, folder="two")
    with pytest.raises(BundleError, match=f"{tmp_path}/two/manifest.json: '{NAME}@{again}' is in {tmp_path}/one too"):
        load_models(settings_for(tmp_path), OpenFake(FakeSession()))


def test_a_default_of_an_unknown_version_is_refused_with_the_known(tmp_path: Path) -> None:
    write_bundle(tmp_path, version="1.0.0")
    with pytest.raises(SettingsError, match=rf"RIBBON_DEFAULT_TAGGER={NAME}@2: no such model.*known: {NAME}@1\.0\.0"):
        load_models(settings_for(tmp_path, default_tagger=f"{NAME}@2"), OpenFake(FakeSession()))


@each_task
def test_a_bundle_may_say_that_it_is_the_default_and_a_setting_may_overrule_it(
    serve: Serve, tmp_path: Path, route: str, setting: str, write: Write, name: str
) -> None:
    write(tmp_path / "models", name="a-model")
    write(tmp_path / "models", name="b-model", default=True)
    assert serve().ask(route, text="x")["model"]["name"] == "b-model"
    assert serve(**{setting: "a-model"}).ask(route, text="x")["model"]["name"] == "a-model"


def test_a_precision_is_served_where_it_is_had(serve: Serve, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "models")
    write_classifier(tmp_path / "models")
    precisions = {name: {"file": GRAPH, "metrics": {}, "max_drift": 1e-5} for name in ("fp32", "int8")}
    write_manifest(folder, manifest(NAME) | {"precisions": precisions})
    models = serve(precision="int8").client.get("/models").json()["models"]
    assert {model["name"]: model["precision"] for model in models} == {NAME: "int8", CLASSIFIER: "fp32"}


@pytest.mark.parametrize(
    ("write", "works", "lacks"),
    [
        (write_bundle, "/tag", "/classify"),
        (write_classifier, "/classify", "/translate"),
        (write_translator, "/translate", "/tag"),
    ],
)
def test_a_task_without_models_is_told_from_a_wrong_name(
    serve: Serve, tmp_path: Path, write: Write, works: str, lacks: str
) -> None:
    write(tmp_path / "models")
    served = serve()
    assert served.ask(works, text="x")
    for request in ({}, {"model": NAME}):
        document = problem_of(served.post(lacks, text="x", **request), 404, "unknown_model")
        assert document["detail"].startswith(f"no model here answers {lacks}")
