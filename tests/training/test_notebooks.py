"""The notebooks run from top to bottom, with few steps."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
for package in ("ipykernel", "matplotlib", "nbclient", "sklearn"):
    pytest.importorskip(package)

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
# A warning within a notebook is one of its kernel's; jupyter's own are about what it will change itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def test_there_are_two() -> None:
    assert len(NOTEBOOKS) == 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIBBON_NOTEBOOK_STEPS", "3")
    monkeypatch.setenv("RIBBON_NOTEBOOK_EPOCHS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    executed = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    ).execute()
    drawn = [
        output for cell in executed.cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})
    ]
    assert drawn


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_of_its_outputs_is_small_and_holds_no_error(path: Path) -> None:
    assert path.stat().st_size < 200_000
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", ())]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert not any(output.get("name") == "stderr" for output in outputs)
