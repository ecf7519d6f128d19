"""A reload that fails changes nothing and says why; what was exchanged while it was loaded is not served."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.chaos.bundles import seal
from service.bundle import EXAMPLES, MANIFEST
from service.errors import ReloadFailedError
from service.models.loading import load_models
from service.runtime.resources import Device
from service.runtime.session import Arrays, Session
from tests.application import NEEDED
from tests.fakes import (
    CLASSIFIER,
    GRAPH,
    NAME,
    VERSION,
    FakeSession,
    OpenFake,
    damage,
    settings_for,
    write_bundle,
    write_classifier,
)
from tests.models.reloading import reloadable, run, write_second


def corrupt(models: Path) -> Path:
    return damage(write_second(models) / GRAPH)


def damaged_where_it_is_served(models: Path) -> Path:
    return damage(models / NAME / GRAPH)


def truncated_beside(models: Path) -> Path:
    return truncate(write_second(models) / GRAPH)


def truncated_where_it_is_served(models: Path) -> Path:
    return truncate(models / NAME / GRAPH)


def truncate(path: Path) -> Path:
    """Cut a file short, as an interrupted copy does."""
    path.write_bytes(path.read_bytes()[:-1])
    return path


def wrong_example(models: Path) -> Path:
    folder = write_second(models)
    wrong = json.loads((folder / EXAMPLES).read_text())
    wrong[0]["scores"] = {"bad": 0.5, "good": 0.5}
    (folder / EXAMPLES).write_text(json.dumps(wrong))
    seal(folder)
    return folder / EXAMPLES


def no_manifest_at_all(models: Path) -> Path:
    path = models / NAME / MANIFEST
    path.write_text("{")
    return path


def second_of_a_version(models: Path) -> Path:
    return write_classifier(models, folder="zzz") / MANIFEST


def nothing_left(models: Path) -> Path:
    for folder in list(models.iterdir()):
        shutil.rmtree(folder)
    return models


@pytest.mark.parametrize(
    "spoil",
    [
        *(corrupt, damaged_where_it_is_served, truncated_beside, truncated_where_it_is_served),
        *(wrong_example, no_manifest_at_all, second_of_a_version, nothing_left),
    ],
)
def test_a_reload_that_fails_changes_nothing_and_says_why(
    models: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], Path]
) -> None:
    async def test() -> None:
        async with reloadable(models, OpenFake(FakeSession())) as served:
            listed, stock = await served.listed(), served.engine.registry.models
            at_fault = spoil(models)
            with pytest.raises(ReloadFailedError, match=str(at_fault)):
                await served.engine.reload()
            assert served.engine.registry.models is stock
            assert await served.listed() == listed
            for route in NEEDED:
                await served.ask(route)
            assert (await served.client.get("/health/ready")).status_code == 200
            assert (await served.samples("ribbon_reloads_total"))[("failed",)] == 1

    run(test)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "those before are still served" in record.getMessage()


class Picky(FakeSession):
    """Takes large batches only until it is told not to: a warm-up that fails."""

    picky = False

    def run(self, inputs: Arrays) -> Arrays:
        if self.picky and inputs["ids"].size > 1000:
            raise MemoryError
        return super().run(inputs)


def test_a_warm_up_that_fails_changes_nothing_and_the_next_reload_may_succeed(models: Path) -> None:
    async def test() -> None:
        session = Picky()
        async with reloadable(models, OpenFake(session)) as served:
            write_second(models)
            session.picky = True
            with pytest.raises(ReloadFailedError, match="unexpected"):
                await served.engine.reload()
            assert (await served.ask("/classify"))["model"]["version"] == VERSION
            session.picky = False
            assert (await served.engine.reload()).added == [f"{CLASSIFIER}@2.0.0"]

    run(test)


class Swapping:
    """Between the check and the end of loading somebody puts another file in the place of one."""

    def __init__(self, session: FakeSession, *, file: str, back: bool) -> None:
        self.open = OpenFake(session)
        self.file = file
        self.back = back

    def __call__(self, path: Path, *, device: Device) -> Session:
        target = path.parent / self.file
        content = target.read_bytes()
        for written in (content + b" ", content)[: 1 + self.back]:
            beside = target.with_suffix(".new")
            beside.write_bytes(written)
            beside.rename(target)
        return self.open(path, device=device)


@pytest.mark.parametrize("file", [GRAPH, EXAMPLES, MANIFEST])
@pytest.mark.parametrize("back", [False, True])
def test_what_was_exchanged_while_it_was_loaded_is_not_served(tmp_path: Path, file: str, back: bool) -> None:
    folder = write_bundle(tmp_path)
    with pytest.raises(Exception, match=rf"{folder / file}: (changed while|\d+ bytes|checksum)"):
        load_models(settings_for(tmp_path), Swapping(FakeSession(), file=file, back=back))
