from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.training.corpora.made_up_texts import write, write_corpora
from tests.training.scripts import run

Published = Callable[[str], Path]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """A folder of made-up corpora, which no test changes."""
    folder = tmp_path_factory.mktemp("data")
    write_corpora(folder)
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory, data_dir) -> Published:
    """By task, the run folder of one run of the script, in it the ``bundle``."""
    for package in ("torch", "onnx", "matplotlib", "vaderSentiment"):
        pytest.importorskip(package)
    from tests.training.classifier.small_tasks import TAUGHT, write_task
    from training.classifier import train

    @cache
    def publish(task: str) -> Path:
        folder = tmp_path_factory.mktemp(task)
        config = write_task(folder, task)
        write(folder / "taught.tsv", TAUGHT)
        arguments = ("--data-dir", data_dir, "--run-dir", folder, "--taught", folder / "taught.tsv")
        with pytest.MonkeyPatch.context() as patch:
            run(train.main, patch, config, *arguments, "--bundle", folder / "bundle")
        return folder

    return publish
