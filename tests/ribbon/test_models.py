"""``ribbon models``: lists, verifies and fetches bundles, and never leaves half of one behind."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from service.bundle import MAX_FILES
from tests.fakes import CLASSIFIER, NAME, VERSION, damage, lexicon_graph, sentiment_graph, write_bundle
from tests.ribbon.conftest import Invoke


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A good bundle that is in no models folder yet."""
    return write_bundle(tmp_path / "elsewhere", name="new-tagger", graph=lexicon_graph())


def tar_of(folder: Path, *, prefix: str = "") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, f"{prefix or folder.name}/{path.name}")
    return content.getvalue()


def zip_of(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        for path in sorted(folder.iterdir()):
            zipped.write(path, path.name)
    return content.getvalue()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The folder's files over HTTP."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_models_of_a_folder_are_listed(invoke: Invoke) -> None:
    result = invoke("models", "list")
    assert result.exit_code == 0, result.output
    head, *rows = result.stdout.splitlines()
    assert head.split()[:3] == ["NAME", "VERSION", "TASK"]
    assert [row.split()[:3] for row in rows][:2] == [[CLASSIFIER, VERSION, "classify"], [NAME, VERSION, "tag"]]
    described = json.loads(invoke("models", "list", "--json").stdout)
    assert [each["name"] for each in described][:2] == [CLASSIFIER, NAME]


def test_models_of_a_service_are_listed(invoke: Invoke, url: str) -> None:
    listed = json.loads(invoke("models", "list", "--url", url, "--json").stdout)
    assert {each["task"] for each in listed} == {"tag", "classify", "translate", "generate"}
    lines = invoke("models", "list", "--url", url).stdout.splitlines()
    assert len(lines) == 5
    assert [line.split()[2:4] for line in lines if "translate" in line] == [["translate", "en-es"]]


def test_a_model_is_described(invoke: Invoke, folder: Path) -> None:
    result = invoke("models", "info", NAME)
    assert f"{NAME}@{VERSION}" in result.stdout
    assert "CC0-1.0" in result.stdout
    assert invoke("models", "info", NAME, "--card").stdout == "# Tiny\n"
    assert json.loads(invoke("models", "info", NAME, "--json").stdout)["name"] == NAME
    assert invoke("models", "info", "nope").exit_code == 1


def test_models_are_verified(invoke: Invoke, folder: Path) -> None:
    result = invoke("models", "verify")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 3)
    damage(folder / NAME / "model.onnx")
    result = invoke("models", "verify")
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 2)
    assert "model.onnx: checksum" in result.stderr
    assert invoke("models", "verify", CLASSIFIER).exit_code == 0
    assert invoke("models", "verify", str(folder / NAME)).exit_code == 1


def test_a_model_that_answers_otherwise_is_not_verified(invoke: Invoke, tmp_path: Path) -> None:
    write_bundle(tmp_path / "wrong", graph=sentiment_graph())
    result = invoke("models", "verify", models=tmp_path / "wrong")
    assert result.exit_code == 1
    assert "cannot answer the examples" in result.stderr


@pytest.mark.parametrize("pack", [tar_of, zip_of, None])
def test_a_bundle_is_pulled_from_an_archive_or_a_folder(
    invoke: Invoke, folder: Path, bundle: Path, tmp_path: Path, pack: Callable[[Path], bytes] | None
) -> None:
    source = bundle if pack is None else written(tmp_path / "archive", pack(bundle))
    checked = bundle / "manifest.json" if pack is None else source
    sha256 = hashlib.sha256(checked.read_bytes()).hexdigest()
    before = names_in(folder)
    refused = invoke("models", "pull", str(source), "--sha256", "0" * 64)
    assert (refused.exit_code, names_in(folder)) == (1, before)
    assert sha256 in refused.stderr
    result = invoke("models", "pull", str(source), "--sha256", sha256)
    assert result.exit_code == 0, result.output
    assert names_in(folder) == before | {"new-tagger"}
    assert names_in(folder / "new-tagger") == names_in(bundle)
    assert invoke("tag", "-m", "new-tagger", "Alice").exit_code == 0


def test_a_bundle_is_pulled_from_an_address(invoke: Invoke, folder: Path, bundle: Path, tmp_path: Path) -> None:
    content = tar_of(bundle)
    written(tmp_path / "elsewhere/new.tar.gz", content)
    with serving(tmp_path / "elsewhere") as address:
        unsure = invoke("models", "pull", f"{address}/new.tar.gz")
        missing = invoke("models", "pull", f"{address}/none.tar.gz", "--sha256", "0" * 64)
        pulled = invoke("models", "pull", f"{address}/new.tar.gz", "--sha256", hashlib.sha256(content).hexdigest())
    assert "needs --sha256" in unsure.stderr
    assert "404" in missing.stderr
    assert (unsure.exit_code, missing.exit_code, pulled.exit_code) == (1, 1, 0)
    assert (folder / "new-tagger").is_dir()


def test_a_version_is_replaced_only_by_force(invoke: Invoke, folder: Path, bundle: Path) -> None:
    assert invoke("models", "pull", str(bundle)).exit_code == 0
    again = invoke("models", "pull", str(bundle))
    assert again.exit_code == 1
    assert "--force replaces it" in again.stderr
    before = names_in(folder)
    assert invoke("models", "pull", str(bundle), "--force").exit_code == 0
    assert names_in(folder) == before


def test_another_version_lies_beside_the_first(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    newer = write_bundle(tmp_path / "newer", version="2.0.0", graph=lexicon_graph())
    assert invoke("models", "pull", str(newer)).exit_code == 0
    assert (folder / f"{NAME}-2.0.0").is_dir()
    assert "2.0.0" in invoke("models", "info", NAME).stdout


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, len(content), "/etc/passwd"
    tar.addfile(member, io.BytesIO(content))


def evil(*members: tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, kind in members:
            add(tar, name, b"" if kind != tarfile.REGTYPE else b"x", kind=kind)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (evil(("../escaped", tarfile.REGTYPE)), "one folder"),
        (evil(("a/../../escaped", tarfile.REGTYPE)), "one folder"),
        (evil(("a/x", tarfile.REGTYPE), ("b/y", tarfile.REGTYPE)), "one folder"),
        (evil(("a/.hidden", tarfile.REGTYPE)), "one folder"),
        (evil(("a/link", tarfile.SYMTYPE)), "not a plain file"),
        (evil(("a/link", tarfile.LNKTYPE)), "not a plain file"),
        (evil(("a/pipe", tarfile.FIFOTYPE)), "not a plain file"),
        (evil(*[(f"a/{number}", tarfile.REGTYPE) for number in range(MAX_FILES + 2)]), f"more than {MAX_FILES + 1}"),
        (evil(("a/x", tarfile.REGTYPE), ("a/x", tarfile.REGTYPE)), "not an archive that can be read"),
        (evil(("a/x", tarfile.REGTYPE)), "manifest.json: No such file"),
        (b"nothing of the kind", "not an archive"),
        (b"", "not an archive"),
    ],
)
def test_an_archive_that_is_not_a_bundle_leaves_nothing(
    invoke: Invoke, folder: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    archive = written(tmp_path / "archive.tar", content)
    before, around = names_in(folder), names_in(tmp_path)
    result = invoke("models", "pull", str(archive))
    assert result.exit_code == 1
    assert message in result.stderr
    assert (names_in(folder), names_in(tmp_path)) == (before, around)


def test_a_link_in_a_zip_is_refused(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as zipped:
        link = zipfile.ZipInfo("a/link")
        link.external_attr = 0o120777 << 16
        zipped.writestr(link, "/etc/passwd")
    result = invoke("models", "pull", str(tmp_path / "archive.zip"))
    assert result.exit_code == 1
    assert "not a plain file" in result.stderr


def test_a_damaged_bundle_is_not_pulled(invoke: Invoke, folder: Path, bundle: Path, tmp_path: Path) -> None:
    damage(bundle / "model.onnx")
    before = names_in(folder)
    for source in (bundle, written(tmp_path / "archive", tar_of(bundle))):
        result = invoke("models", "pull", str(source))
        assert result.exit_code == 1
        assert "model.onnx: checksum" in result.stderr
    assert names_in(folder) == before


def test_a_file_that_no_checksum_covers_is_refused(invoke: Invoke, folder: Path, bundle: Path, tmp_path: Path) -> None:
    (bundle / "extra.txt").write_text("unlisted")
    result = invoke("models", "pull", str(written(tmp_path / "archive", tar_of(bundle))))
    assert result.exit_code == 1
    assert "does not list: extra.txt" in result.stderr
    assert not (folder / "new-tagger").exists()
