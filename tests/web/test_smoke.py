"""The playground in a real browser, each pane once: loaded, answered, and nothing to complain of in the console."""

from __future__ import annotations

import pytest

from tests.web.browser import PANES, Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("pane", PANES)
def test_a_pane_answers_without_an_error(page: Page, pane: str) -> None:
    page.open(pane)
    page.settle(pane)
    assert page.text(f"#{pane} .status")
