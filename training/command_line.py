"""The flags that every training script has."""

from __future__ import annotations

import argparse
from pathlib import Path


def run_parser(description: str | None, *, publishes: bool = False) -> argparse.ArgumentParser:
    """A configuration, where the corpora are, where the run goes; and where a bundle goes, if the script makes one."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("config", type=Path, help="a file of training/configs, or one like it")
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    parser.add_argument("--run-dir", type=Path, help="checkpoints, logs and what a run leaves; default runs/NAME")
    if publishes:
        parser.add_argument("--bundle", type=Path, help="publish: measure on the test sets, write a bundle here")
    return parser
