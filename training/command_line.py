"""The flags that scripts of a kind have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

CORPORA = "folder with the corpora; else they are downloaded"


def run_parser(description: str | None) -> argparse.ArgumentParser:
    """Of what trains: a configuration, where the corpora are, where the run goes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("config", type=Path, help="a file of training/configs, or one like it")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    parser.add_argument("--run-dir", type=Path, help="checkpoints, logs and what a run leaves; default runs/NAME")
    return parser


def publishing_parser(description: str | None) -> argparse.ArgumentParser:
    """Of what trains and may publish: where the bundle goes, too."""
    parser = run_parser(description)
    parser.add_argument("--bundle", type=Path, help="publish: measure on the test sets, write a bundle here")
    return parser


def evaluation_parser(description: str | None) -> argparse.ArgumentParser:
    """Of what measures a bundle on dev or test sets; the description's lines stay as they are."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--precision", help="a precision of the bundle; default its default")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    return parser
