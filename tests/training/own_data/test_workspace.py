"""A bundle appears all at once, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.own_data.errors import DataError
from training.own_data.workspace import workspace


def make(out: Path, content: str, *, overwrite: bool = False) -> None:
    with workspace(out, overwrite=overwrite) as made:
        made.report.mkdir()
        (made.report / "report.md").write_text(content)
        (made.bundle / "manifest.json").write_text(content)


def break_off(out: Path, error: type[BaseException]) -> None:
    with workspace(out, overwrite=True) as made:
        (made.bundle / "manifest.json").write_text("new")
        raise error


def test_bundle_and_report_appear_at_the_end(tmp_path):
    out = tmp_path / "models" / "mine"
    with workspace(out, overwrite=False) as made:
        (made.bundle / "manifest.json").write_text("{}")
        assert not out.exists()
        assert [path.name[0] for path in out.parent.iterdir()] == ["."]  # the service reads no hidden folder
    assert (out / "manifest.json").is_file()
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_broken_off_leaves_nothing_and_the_older_bundle_as_it_was(tmp_path, error):
    out = tmp_path / "mine"
    make(out, "old")
    with pytest.raises(error):
        break_off(out, error)
    assert (out / "manifest.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_is_there_is_refused_unless_it_may_be_replaced(tmp_path):
    out = tmp_path / "mine"
    make(out, "old")
    with pytest.raises(DataError, match="is there already: choose another --out, or add --overwrite"):
        make(out, "new")
    make(out, "new", overwrite=True)
    assert (out / "manifest.json").read_text() == (out / "report" / "report.md").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_of_other_things_is_never_replaced(tmp_path):
    (tmp_path / "photo.jpg").write_text("dear")
    with pytest.raises(DataError, match="holds something that is no model"):
        make(tmp_path, "new", overwrite=True)
    assert (tmp_path / "photo.jpg").exists()


def test_a_place_where_no_folder_can_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="no folder can be made here"):
        make(tmp_path / "file" / "mine", "new")
