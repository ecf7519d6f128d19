"""The playground in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bench.process import ROOT, ServiceProcess
from bench.programs import BROWSER
from tests.programs import need

if TYPE_CHECKING:  # it needs selenium
    from bench.playground.browser import Page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Page]:
    """A browser for all tests, on the playground of a service with every model that ships: of one that runs already if
    PLAYGROUND_URL says where."""
    from bench.playground.browser import browser

    for name in BROWSER:
        need(name)
    with ExitStack() as stack:
        url = os.environ.get("PLAYGROUND_URL")
        if url is None:
            url = f"{stack.enter_context(ServiceProcess(models_dir=ROOT / 'models')).url}/"
        page = stack.enter_context(browser())
        page.url = url
        yield page


@pytest.fixture
def page(chromium: Page) -> Iterator[Page]:
    """The browser, which must have nothing to complain of after the test."""
    chromium.expected, chromium.log, url = [], [], chromium.url
    yield chromium
    chromium.url = url
    chromium.check()
