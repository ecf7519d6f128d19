"""The house's rules, read from the source: which room may use which, one importer a heavy package, standard words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bench.architecture import ROOMS, Import, imports_of, imports_under, room_of

ROOT = Path(__file__).parents[1]

# What starts, binds, forks and ends; no room knows of it.
FRONT = ("__main__", "serving")
# Anybody may use them, and they use the errors.
LEAVES = (
    "settings",
    "settings_types",
    "metrics",
    "metrics_multiprocess",
    "telemetry",
    "lifecycle",
    "keys",
    "logs",
)
TRAINING_USES = {"text", "bundle", "errors"}
PROOF_USES = TRAINING_USES | {"predictors", "runtime"}  # a model is proved by the code that will serve it
# Files of training, or of a task's folder there, that make or prove a model.
PROOFS = re.compile(r"training/(\w+/)?(evaluate(_\w+)?|examples|export|predict|publish|(\w+_)?report)\.py")


# Files of the command line that load models in its own process.
LOADERS = ("ribbon/local.py", "ribbon/pull.py")
HEAVY = {"numpy", "onnxruntime", "litestar", "pydantic", "torch"}
OUR_FOLDERS = {"service", "training", "bench", "tests"}


def allowed_rooms(path: str) -> set[str]:
    """The rooms of ``service`` that a file of ``service`` may use."""
    room = room_of(path)
    if room in LEAVES:
        return {"errors", *(leaf for leaf in LEAVES if leaf.startswith(room.partition("_")[0]))}
    if room in ROOMS:
        return {*ROOMS[ROOMS.index(room) :], *LEAVES}
    return {*FRONT, *ROOMS, *LEAVES}


# Words that other projects do not use for these things; no class and no module is named by one.
METAPHORS = frozenset(
    "desk gate door relief ledger stay sought trail slab exchange catalogue shelf stock hangup wish echo seat promise "
    "entrance patience news tell inflow aside".split()
)
# Docstrings that begin so begin in the middle of a sentence.
MID_SENTENCE = frozenset(
    "Of Those Its It As What Who Whoever Whose Somebody Nobody Everybody Anybody Where Which How Why From For With "
    "Without".split()
)
LEADING_WORD = re.compile(r"(\w+)")
GLOSSARY_NAME = re.compile(r"`([\w.]+)`")

# Stand-ins that all tests share, and the requests of a single test.
TESTS_OWN_FOLDERS = {"fakes", "api/hostile"}

Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions(path: Path) -> Iterator[tuple[str, Definition]]:
    """A file's module, classes and functions, those of classes included, each with its name."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    yield path.stem, tree
    for node in ast.walk(tree):
        if isinstance(node, Definition) and not isinstance(node, ast.Module):
            yield node.name, node


def words_in(name: str) -> set[str]:
    """``decode_queue`` and ``DecodeQueue`` both hold the words decode and queue."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def files_under(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported_at_start(folder: str) -> Iterator[Import]:
    """What the files of a folder import as they are imported themselves: not in a function, and not for types alone."""
    for path in files_under(folder):
        tree = ast.parse(path.read_text("utf-8"), str(path))
        for node in ast.walk(tree):
            is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            if is_for_types or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = [ast.Pass()]
        yield from imports_of(ast.unparse(tree), path.relative_to(ROOT).as_posix())


def defined_under(*folders: str) -> list[tuple[Path, str, Definition]]:
    files = [path for folder in folders for path in files_under(folder)]
    return [(path, name, node) for path in files for name, node in definitions(path)]


imports_in = cache(imports_under)


def test_the_service_never_imports_torch_or_training() -> None:
    assert [str(found) for found in imports_in("service") if found.top in {"torch", "training", "bench", "tests"}] == []


def test_nothing_but_tests_imports_the_programs_that_measure() -> None:
    assert [
        str(found) for found in [*imports_in("training"), *imports_under("deploy")] if found.top in {"bench", "tests"}
    ] == []


def test_the_programs_that_measure_never_import_the_tests() -> None:
    assert [str(found) for found in imports_under("bench") if found.top in {"tests", "pytest"}] == []


def test_the_tests_hold_no_programs_and_the_programs_no_tests() -> None:
    assert [str(path) for path in (ROOT / "bench").rglob("test_*.py")] == []
    assert [
        str(path)
        for path in files_under("tests")
        if path.name == "__main__.py" or re.search("^if __name__ == ", path.read_text("utf-8"), re.MULTILINE)
    ] == []
    assert [
        str(path) for path in (ROOT / "tests/bench").rglob("*.py") if not path.name.startswith(("test_", "conftest"))
    ] == []


def test_the_folders_of_the_tests_are_those_of_what_they_test() -> None:
    folders = {path.parent.relative_to(ROOT / "tests").as_posix() for path in files_under("tests")} - TESTS_OWN_FOLDERS
    assert [each for each in folders if not any((ROOT / room / each).is_dir() for room in (".", "service"))] == []


def test_the_service_and_training_never_import_the_command_line() -> None:
    assert [str(found) for found in [*imports_in("service"), *imports_in("training")] if found.top == "ribbon"] == []


def test_the_command_line_starts_and_the_client_works_without_the_service() -> None:
    """What they take from other folders is imported by a function, in a command or where models are loaded."""
    at_start = [str(found) for found in imported_at_start("ribbon") if found.top in {*HEAVY, *OUR_FOLDERS}]
    assert at_start == []
    users = {found.path for found in imports_in("ribbon") if found.top in {"service", "training"}}
    assert [path for path in sorted(users) if not path.startswith(("ribbon/commands/", *LOADERS))] == []


def test_nothing_in_the_service_can_load_a_pickle() -> None:
    barred = {"pickle", "_pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    assert [str(found) for found in imports_in("service") if found.top in barred] == []


@pytest.mark.parametrize(
    ("package", "doors"),
    [
        ("onnxruntime", ("service/runtime/session.py",)),
        ("opentelemetry", ("service/telemetry.py",)),
        ("litestar", ("service/api/", "service/app.py")),
        ("uvicorn", ("service/serving/", "service/app.py")),
    ],
)
def test_a_heavy_package_has_one_door(package: str, doors: tuple[str, ...]) -> None:
    users = [found for found in imports_in("service") if found.top == package]
    assert [str(found) for found in users if not found.path.startswith(doors)] == []


def test_rooms_use_only_what_stands_to_their_right() -> None:
    wrong = [
        str(found)
        for found in imports_in("service")
        if found.top == "service" and found.room and found.room not in allowed_rooms(found.path)
    ]
    assert wrong == []


def test_every_module_of_the_service_is_in_a_room_the_house_knows() -> None:
    rooms = {room_of(found.path) for found in imports_in("service")}
    assert rooms <= {*FRONT, *ROOMS, *LEAVES, "__init__"}


def test_training_uses_the_text_room_and_the_bundle_and_only_export_and_evaluation_more() -> None:
    wrong = []
    for found in imports_in("training"):
        allowed = PROOF_USES if PROOFS.match(found.path) else TRAINING_USES
        if found.top == "service" and found.room and found.room not in allowed:
            wrong.append(str(found))
    assert wrong == []


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import torch.nn as nn", "torch.nn"),
        ("def f():\n    from torch import nn", "torch"),
        ("from service import app", "service.app"),
        ("from ..app import create_app", "service.app"),
        ("from .. import app", "service.app"),
        ("from . import pipeline", "service.text"),
    ],
)
def test_the_reader_of_imports_sees_every_form(statement: str, module: str) -> None:
    assert module in [found.module for found in imports_of(statement, "service/text/words.py")]


def test_what_the_glossary_names_exists() -> None:
    classes = {name for _, name, node in defined_under("service") if isinstance(node, ast.ClassDef)}
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in files_under("service")
    }
    named = set(GLOSSARY_NAME.findall((ROOT / "docs/glossary.md").read_text("utf-8")))
    ours = {name for name in named if name.startswith("service.") or re.fullmatch("([A-Z][a-z]+)+", name)}
    assert len(ours) > 40
    assert ours - classes - modules == set()


def test_the_glossary_has_one_sentence_a_word() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \|$", (ROOT / "docs/glossary.md").read_text("utf-8"), re.MULTILINE)
    meanings = {word: meaning for word, meaning in rows if word not in {"Word", "---"}}
    assert 40 <= len(meanings) <= 60
    assert [word for word, meaning in meanings.items() if not re.fullmatch(r"[A-Z`][^.]*(\.\w[^.]*)*\.", meaning)] == []


def test_no_class_or_module_is_named_by_a_private_metaphor() -> None:
    named = [
        (path, name)
        for path, name, node in defined_under("service", "training", "ribbon")
        if isinstance(node, ast.Module | ast.ClassDef)
    ]
    assert [f"{path}: {name}" for path, name in named if words_in(name) & METAPHORS] == []


def test_docstrings_begin_with_a_capital_and_not_in_the_middle_of_a_sentence() -> None:
    wrong = []
    for path, name, node in defined_under("service", "training", "bench", "ribbon"):
        docstring = ast.get_docstring(node)
        place = path.relative_to(ROOT).as_posix()
        if docstring is None or name.startswith("_"):
            continue
        first = LEADING_WORD.match(docstring)
        if first is None or not first[1][0].isupper() or first[1] in MID_SENTENCE:
            wrong.append(f"{place}: {name}: {docstring.splitlines()[0]}")
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DecodeQueue", {"decode", "queue"}),
        ("decode_queue", {"decode", "queue"}),
        ("TagHTTPDesk", {"tag", "http", "desk"}),
    ],
)
def test_the_reader_of_names_sees_every_word(name: str, words: set[str]) -> None:
    assert words_in(name) == words
