"""A script is run through its only door, the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest


def run(main: Callable[[], None], patch: pytest.MonkeyPatch, *arguments: object) -> None:
    patch.setattr(sys, "argv", ["main", *map(str, arguments)])
    main()
