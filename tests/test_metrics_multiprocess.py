"""The metrics of workers are read from files, some of which may have been made this very moment."""

from __future__ import annotations

from prometheus_client.mmap_dict import MmapedDict, mmap_key

from service.metrics_multiprocess import render_folder


def test_files_without_values_yet_are_left_out(tmp_path):
    values = MmapedDict(str(tmp_path / "counter_1.db"))
    values.write_value(mmap_key("jobs", "jobs_total", [], [], "Jobs done."), 3.0, 0.0)
    values.close()
    (tmp_path / "counter_2.db").touch()
    (tmp_path / "gauge_livesum_2.db").write_bytes(bytes(64 * 1024))
    assert b"jobs_total 3.0" in render_folder(tmp_path)
