"""Bundles to reload: good ones of another version, and ones with everything that can be wrong with them.

All are made beside the models folder and moved into it by one rename, as an operator should do it.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.bundle import EXAMPLES, MANIFEST, file_entry

Damage = Callable[[Path, random.Random], None]


def copy_with_version(source: Path, target: Path, version: str) -> Path:
    """The same model under another version number, its checksums right."""
    shutil.copytree(source, target)
    path = target / "CARD.md"
    path.write_text(path.read_text("utf-8") + f"\nVersion {version}.\n", encoding="utf-8")
    seal(target, version=version)
    return target


def seal(folder: Path, **changes: object) -> None:
    """Write the manifest anew, with the checksums of the files as they are."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    files = {name: file_entry(folder / name).model_dump() for name in manifest["files"]}
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes, "files": files}, indent=2), encoding="utf-8")


def flip_a_bit(folder: Path, draw: random.Random) -> None:
    """In the largest graph; its size stays what the manifest says."""
    path = max(folder.glob("*.onnx"), key=lambda file: file.stat().st_size)
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def truncate_a_file(folder: Path, draw: random.Random) -> None:
    """Cut the largest file short, as an interrupted copy does."""
    path = max((file for file in folder.iterdir()), key=lambda file: file.stat().st_size)
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def remove_a_file(folder: Path, draw: random.Random) -> None:
    draw.choice(sorted(folder.glob("*.onnx"))).unlink()


def break_the_manifest(folder: Path, draw: random.Random) -> None:
    """Cut the manifest short somewhere in its first half."""
    path = folder / MANIFEST
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(1, len(content) // 2)])


def misname_a_field(folder: Path, draw: random.Random) -> None:
    path = folder / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["verison"] = manifest.pop("version")
    path.write_text(json.dumps(manifest), encoding="utf-8")


def promise_other_answers(folder: Path, draw: random.Random) -> None:
    """Checksums are right, the files can be read, but the model does not answer its examples as it says."""
    path = folder / EXAMPLES
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(_other_numbers(document)), encoding="utf-8")
    seal(folder)


def _other_numbers(value: object) -> object:
    """Every score moved by a tenth."""
    if isinstance(value, float):
        return value + 0.1
    if isinstance(value, list):
        return [_other_numbers(each) for each in value]
    return {key: _other_numbers(each) for key, each in value.items()} if isinstance(value, dict) else value


DAMAGES: Mapping[str, Damage] = {
    "bit flipped": flip_a_bit,
    "file truncated": truncate_a_file,
    "graph missing": remove_a_file,
    "manifest broken off": break_the_manifest,
    "manifest with a misspelt field": misname_a_field,
    "examples that it does not answer": promise_other_answers,
}


@dataclass(slots=True, kw_only=True, eq=False)
class ModelsFolder:
    """An instance's models, and a place beside it on the same disk for what is being made."""

    folder: Path
    workshop: Path

    @classmethod
    def of(cls, sources: Mapping[str, Path], root: Path) -> ModelsFolder:
        """A copy of these bundles under ``root``."""
        made = cls(folder=root / "models", workshop=root / "workshop")
        made.workshop.mkdir(parents=True)
        for name, source in sources.items():
            shutil.copytree(source, made.folder / name)
        return made

    def add_version(self, name: str, version: str) -> None:
        """Beside the one there is."""
        made = copy_with_version(self.folder / name, self.workshop / f"{name}-{version}", version)
        made.rename(self.folder / made.name)

    def take_away(self, folder_name: str) -> None:
        """By one rename; then it is deleted."""
        gone = (self.folder / folder_name).rename(self.workshop / f"gone-{folder_name}")
        shutil.rmtree(gone)

    def add_damaged(self, name: str, version: str, damage: Damage, draw: random.Random) -> None:
        """A newer version beside the one there is, but it is no good."""
        made = copy_with_version(self.folder / name, self.workshop / f"{name}-{version}", version)
        damage(made, draw)
        made.rename(self.folder / made.name)

    def replace_with_damaged(self, name: str, damage: Damage, draw: random.Random) -> None:
        """The only copy of a model: what is served now is in memory alone. :meth:`restore` undoes it."""
        made = Path(shutil.copytree(self.folder / name, self.workshop / f"bad-{name}"))
        damage(made, draw)
        (self.folder / name).rename(self.workshop / name)
        made.rename(self.folder / name)

    def restore(self, name: str) -> None:
        (self.folder / name).rename(self.workshop / f"bad-{name}")
        (self.workshop / name).rename(self.folder / name)
        shutil.rmtree(self.workshop / f"bad-{name}")
