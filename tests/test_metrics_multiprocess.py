"""The metrics of workers are read from files, some of which may have been made this very moment."""

from __future__ import annotations

import struct
import threading
import time

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from service.metrics_multiprocess import render_folder


def write_counter(path):
    values = MmapedDict(str(path))
    values.write_value(mmap_key("jobs", "jobs_total", [], [], "Jobs done."), 3.0, 0.0)
    values.close()


def test_a_file_that_is_empty_for_a_moment_is_waited_for(tmp_path):
    write_counter(tmp_path / "counter_1.db")
    late = tmp_path / "counter_2.db"
    late.touch()
    content = (tmp_path / "counter_1.db").read_bytes()
    writer = threading.Timer(0.002, late.write_bytes, [content])
    writer.start()
    rendered = render_folder(tmp_path)
    writer.join()
    assert b"jobs_total 6.0" in rendered


def test_a_file_that_stays_empty_is_told(tmp_path):
    (tmp_path / "counter_1.db").touch()
    began_at = time.perf_counter()
    with pytest.raises(struct.error):
        render_folder(tmp_path)
    assert time.perf_counter() - began_at < 2
