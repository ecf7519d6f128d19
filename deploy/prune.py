"""Take out of installed packages what the service never opens: ``python deploy/prune.py FOLDER``.

Kept to what is large and plainly of no use here; tests/deploy/test_image.py serves every route from what is left.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NEVER_OPENED = {
    "faker*": "made-up people for Litestar's example factory, which is off",
    "polyfactory*": "the factory itself",
    "pygments*": "colours for Litestar's command line, which is not used: python -m service starts the server",
    "rich*": "the same",
    "onnxruntime/capi/libonnxruntime.so.*": "for programs in C; the Python module carries its own copy",
    "onnxruntime/datasets": "examples",
    "onnxruntime/quantization": "training's, not the service's",
    "onnxruntime/tools": "conversion for mobile devices",
    "onnxruntime/transformers": "optimiser of exported transformers",
    "numpy/**/tests": "tests",
    "numpy/distutils": "builds extensions",
    "numpy/f2py": "builds extensions",
    "numpy/_core/include": "the same",
    "numpy/_core/_simd*.so": "for numpy's own tests",
    "numpy/_core/_multiarray_tests*.so": "the same",
    "yaml/_yaml*.so": "a faster parser; the description of the API is written as YAML without it",
    "**/*.pyi": "for type checkers",
    "**/*.pyx": "sources of extensions that are built",
    "**/*.pxd": "the same",
    "bin": "commands; none is used",
}


def prune(folder: Path) -> int:
    """Remove all of it. Returns the bytes of what was removed; a pattern that finds nothing is an error."""
    removed = 0
    for pattern in NEVER_OPENED:
        found = list(folder.glob(pattern))
        if not found:
            raise SystemExit(f"prune.py: {pattern} matches nothing in {folder}: has a package changed?")
        removed += sum(map(_remove, found))
    return removed


def size_of(folder: Path) -> int:
    """The bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _remove(path: Path) -> int:
    if path.is_dir():
        size = size_of(path)
        shutil.rmtree(path)
        return size
    if not path.exists():  # inside a folder removed before it
        return 0
    size = path.stat().st_size
    path.unlink()
    return size


if __name__ == "__main__":
    removed = prune(Path(sys.argv[1]))
    sys.stdout.write(f"pruned {removed / 1e6:.1f} MB of {sys.argv[1]}\n")
