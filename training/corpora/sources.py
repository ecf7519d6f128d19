"""Sources of corpora: a data folder, the cache, or the publisher, in this order.

    locate("ud-english-ewt/train", data_dir=None) -> Path

``sources.toml`` lists the known files. A download is compared with its SHA-256 before it gets its name in the cache.
Files in a data folder are the owner's and taken as they are.

    CorpusError
    ├── UnknownCorpusError        no such name, neither in the list nor in the data folder
    ├── CorpusUnavailableError    known, but it cannot be had: no download, or the download failed
    └── ChecksumError             the download differs from the file that we trained on
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import os
import tarfile
import tempfile
import tomllib
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TIMEOUT_SECONDS = 60
AR_MAGIC = b"!<arch>\n"  # of a Debian package


class CorpusError(Exception):
    """A corpus file cannot be had."""


class UnknownCorpusError(CorpusError):
    """The corpus is in no list and in no data folder."""


class CorpusUnavailableError(CorpusError):
    """The corpus is known, but there is no copy of it here and none could be fetched."""


class ChecksumError(CorpusError):
    """The bytes of a download differ from the expected ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of one corpus: its place, its address if it has a public one, and its terms."""

    name: str  # "wnut17/train"
    file: Path  # under a data folder or the cache
    title: str
    licence: str
    homepage: str
    url: str | None = None
    member: str | None = None  # its path inside the archive that the url leads to
    sha256: str | None = None  # of the decompressed bytes
    advice: str | None = None  # how to get it if there is no url


@cache
def known_sources() -> dict[str, Source]:
    """Every corpus file in ``sources.toml``, by name."""
    listing = tomllib.loads(Path(__file__).with_name("sources.toml").read_text(encoding="utf-8"))
    sources = {}
    for corpus, table in listing.items():
        for part, entry in table["files"].items():
            sources[f"{corpus}/{part}"] = Source(
                name=f"{corpus}/{part}",
                file=Path(corpus) / entry["file"],
                title=table["title"],
                licence=table["licence"],
                homepage=table["homepage"],
                url=table["base"] + entry["url"] if "url" in entry else None,
                member=entry.get("member"),
                sha256=entry.get("sha256"),
                advice=table.get("advice", "").format(homepage=table["homepage"]) or None,
            )
    return sources


def locate(name: str, *, data_dir: Path | None) -> Path:
    """The file of a corpus, plain text or ``.gz``, downloaded if necessary.

    ``data_dir`` (or CORPORA_DIR) comes first and may hold corpora of your own: ``mine/train`` is then
    ``<data_dir>/mine/train.<anything>``. Raises CorpusError.
    """
    data_dir = data_dir or _folder_in_environment("CORPORA_DIR")
    found = data_dir and find_local(name, data_dir)
    if found:
        return found
    source = known_sources().get(name)
    if source is None:
        place = f" nor in {data_dir}" if data_dir else ""
        raise UnknownCorpusError(f"no corpus {name!r} listed{place}; known: {', '.join(known_sources())}")
    return fetch(source, cache_dir())


def folder_of_corpora(data_dir: Path | None) -> Path:
    """The given data folder, or CORPORA_DIR, for corpora that cannot be downloaded. Raises CorpusUnavailableError if
    neither is set."""
    folder = data_dir or _folder_in_environment("CORPORA_DIR")
    if folder is None:
        raise CorpusUnavailableError(
            "these corpora have no public download: name a folder with --data-dir or CORPORA_DIR"
        )
    return folder


def find_local(name: str, data_dir: Path) -> Path | None:
    """The file of this name in a data folder, compressed or not; None if it is not there."""
    source = known_sources().get(name)
    if source is not None:
        plain = data_dir / source.file
        return next((path for path in (plain, plain.with_name(plain.name + ".gz")) if path.is_file()), None)
    stem = data_dir / name
    matches = sorted(path for path in stem.parent.glob(f"{stem.name}.*") if path.is_file())
    if len(matches) > 1:
        raise UnknownCorpusError(f"{name!r} is ambiguous: {', '.join(map(str, matches))}")
    return matches[0] if matches else None


def fetch(source: Source, cache_folder: Path) -> Path:
    """The cached copy of a source, downloaded and verified first if there is none yet."""
    path = cache_folder / source.file
    if path.is_file():  # it got this name only after its checksum was right
        return path
    if source.url is None:
        raise CorpusUnavailableError(f"{source.name} is not at {path} and has no public download: {source.advice}")
    content = _download(source.url, source)
    _verify(content, source)
    write_atomically(path, content)
    return path


def cache_dir() -> Path:
    """CORPORA_CACHE_DIR, else ``ribbon`` in the user's cache folder (XDG_CACHE_HOME, else ``~/.cache``)."""
    chosen = _folder_in_environment("CORPORA_CACHE_DIR")
    if chosen:
        return chosen
    return (_folder_in_environment("XDG_CACHE_HOME") or Path.home() / ".cache") / "ribbon"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that no reader ever sees half of it, even with two writers at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _download(url: str, source: Source) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            content: bytes = response.read()
        return (
            _decompress(_unpack(content, source.member), source.member) if source.member else _decompress(content, url)
        )
    except (OSError, EOFError, LookupError, http.client.HTTPException, tarfile.TarError, zipfile.BadZipFile) as error:
        raise CorpusUnavailableError(
            f"could not download {source.name} from {url}: {error}; set CORPORA_DIR to a folder that holds it"
        ) from error


def _decompress(content: bytes, name: str) -> bytes:
    return gzip.decompress(content) if name.endswith((".gz", ".dz")) else content


def _unpack(archive: bytes, member: str) -> bytes:
    """The bytes of one file of a zip or tar archive, or of a Debian package. Raises LookupError if it is not there."""
    file = io.BytesIO(_data_of_package(archive) if archive.startswith(AR_MAGIC) else archive)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as opened:
            return opened.read(member)
    file.seek(0)
    with tarfile.open(fileobj=file) as opened:
        extracted = opened.extractfile(member)
        if extracted is None:
            raise LookupError(f"{member} is no file")
        return extracted.read()


def _data_of_package(package: bytes) -> bytes:
    """The ``data.tar`` of a Debian package: an ar archive, whose members have a header of 60 bytes, their names and
    sizes among them, and begin at even places. Raises LookupError if there is none."""
    place = len(AR_MAGIC)
    while place < len(package):
        name, size = package[place : place + 16], int(package[place + 48 : place + 58])
        place += 60
        if name.startswith(b"data.tar"):
            return package[place : place + size]
        place += size + size % 2
    raise LookupError("the package has no data.tar")


def _verify(content: bytes, source: Source) -> None:
    got = hashlib.sha256(content).hexdigest()
    if source.sha256 is not None and got != source.sha256:
        raise ChecksumError(
            f"{source.file} from {source.url}: wrong checksum, expected sha256 {source.sha256}, got {got}"
        )


def _folder_in_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else None
