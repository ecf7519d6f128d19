"""Command-line parsers with the flags that scripts of one kind share."""

from __future__ import annotations

import argparse
from pathlib import Path

CORPORA = "folder with the corpora; else they are downloaded"


def run_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser for training scripts: the configuration, the folder of the corpora, the folder of the run."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("config", type=Path, help="a file of training/configs, or one like it")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    parser.add_argument("--run-dir", type=Path, help="checkpoints, logs and what a run leaves; default runs/NAME")
    return parser


def publishing_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser for training scripts that may publish: :func:`run_parser` and the folder of the bundle."""
    parser = run_parser(description)
    parser.add_argument("--bundle", type=Path, help="publish: measure on the test sets, write a bundle here")
    return parser


def evaluation_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser for scripts that measure a bundle on dev or test sets. The line breaks of the description are kept."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--precision", help="a precision of the bundle; default its default")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    return parser
