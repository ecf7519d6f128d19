"""Scripts of training are run as from the command line, in the process of the test."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest


def run(main: Callable[[], None], patch: pytest.MonkeyPatch, *arguments: object) -> None:
    patch.setattr(sys, "argv", ["main", *map(str, arguments)])
    main()
