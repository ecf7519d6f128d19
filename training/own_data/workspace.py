"""The place where a bundle is made: hidden beside its future folder, and moved there only when it is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from training.own_data.errors import DataError

REPORT = "report"  # in the bundle's folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The folders of a run: checkpoints, and the bundle in the making. The report is made in the run."""

    run: Path
    bundle: Path

    @property
    def report(self) -> Path:
        return self.run / REPORT


@contextmanager
def workspace(out: Path, *, overwrite: bool) -> Iterator[Workspace]:
    """Yield a new workspace; at the end the bundle and its report become the folder ``out``, all at once.

    If the block raises, an interruption from the keyboard included, nothing is left and an older ``out`` is as it was.
    Raises DataError if ``out`` is there and may not be overwritten, or cannot be made.
    """
    check_free(out, overwrite=overwrite)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # The service takes no bundle from a hidden folder.
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise DataError(f"{out.parent}: no folder can be made here ({error.strerror}).") from error
    try:
        made = Workspace(run=folder / "run", bundle=folder / "bundle")
        made.run.mkdir()
        made.bundle.mkdir()
        yield made
        if made.report.is_dir():
            made.report.rename(made.bundle / REPORT)
        if out.exists():
            out.rename(folder / "replaced")
        made.bundle.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_free(out: Path, *, overwrite: bool) -> None:
    """Raise DataError if a folder is there that may not be overwritten, or that holds no bundle and so was not made
    here."""
    if not out.exists():
        return
    if not overwrite:
        raise DataError(f"{out} is there already: choose another --out, or add --overwrite to replace it.")
    if not (out / "manifest.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} holds something that is no model; it is not overwritten.")
