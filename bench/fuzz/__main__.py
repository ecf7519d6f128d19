"""Coverage-guided fuzzing of one target of :mod:`bench.fuzz.targets`; the last line says how many inputs were run.

    python -m bench.fuzz sentences --seconds 300

needs atheris (``pip install '.[fuzz]'``). An input that fails ends the run with status 77, its traceback and the file
that holds it; it begins with the byte of its target, so that base64 of it is a line for ``corpus.txt``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.fuzz.targets import FORMS, NAMES, corpus
from bench.process import ROOT
from service.bundle.manifest import Manifest

FOLDER = ROOT / "build" / "fuzz"
HARD_CASES = ROOT / "tests" / "text" / "hard_cases.tsv"
MAX_INPUT_BYTES = 1200  # longer texts reach no further lines, and cost time
MAX_MANIFEST_BYTES = 16_000


def seeds(target: str) -> Iterator[bytes]:
    """Yield the inputs that a run begins with: what earlier runs found, and real ones."""
    place = NAMES.index(target)
    yield from (found for found in corpus() if found[0] % len(NAMES) == place)
    real = {
        "body": [b'{"text": "a", "target": "es"}'],
        "manifest": [path.read_bytes() for path in sorted((ROOT / "models").glob("*/manifest.json"))],
    }
    cases = HARD_CASES.read_text("utf-8").splitlines()
    for content in real.get(target, [line.split("\t")[1].encode() for line in cases]):
        yield bytes([place]) + content


def words() -> Iterator[str]:
    """Yield names that chance would take long to write, one a line, in the form of libFuzzer's dictionaries."""
    for form in FORMS:
        yield from (f'"{name}"' for name in form.__struct_fields__)
    yield from (f'"{name}"' for name in Manifest.model_fields)
    yield from ('"{{"', '"</"', '"&#x"', '"```"', '"https://"', '"\\xe2\\x80\\x8d"', '"\\xef\\xb8\\x8f"')


def prepare(target: str, folder: Path) -> list[str]:
    """Write the seeds and the dictionary of a target. Returns libFuzzer's arguments that name them."""
    inputs = folder / target
    inputs.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target):
        inputs.joinpath(sha256(seed).hexdigest()).write_bytes(seed)
    dictionary = folder / "words.txt"
    dictionary.write_text("".join(f"{word}\n" for word in words()), "utf-8")
    longest = MAX_MANIFEST_BYTES if target == "manifest" else MAX_INPUT_BYTES
    paths = [f"-dict={dictionary}", f"-artifact_prefix={folder}/{target}-", str(inputs)]
    return [*paths, f"-max_len={longest}", "-len_control=0"]


def fuzz(target: str, arguments: list[str]) -> None:
    """Run the fuzzer on the service's modules, imported anew so that it sees which of their lines an input reaches."""
    atheris: Any = importlib.import_module("atheris")
    for name in [name for name in sys.modules if name.partition(".")[0] == "service"]:
        del sys.modules[name]
    sys.modules.pop("bench.fuzz.targets")
    with atheris.instrument_imports(include=["service"]):
        check = importlib.import_module("bench.fuzz.targets").check
    place = bytes([NAMES.index(target)])
    atheris.Setup(arguments, lambda data: check(place + data[1:]))
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where inputs are kept; default: build/fuzz")
    asked, further = parser.parse_known_args()
    limits = [f"-max_total_time={asked.seconds}", "-print_final_stats=1"]
    fuzz(asked.target, [sys.argv[0], *prepare(asked.target, asked.folder), *limits, *further])


if __name__ == "__main__":
    main()
