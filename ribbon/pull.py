"""Bundles from elsewhere: fetched, unpacked within bounds, proved, and moved into a models folder as a whole."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, NamedTuple

from ribbon.errors import ModelError, UnreachableError

if TYPE_CHECKING:
    from service.bundle import Bundle

MAX_ARCHIVE_BYTES = 2**31  # fetched, and unpacked
CHUNK_BYTES = 2**20
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 60.0


class Member(NamedTuple):
    """A file of an archive."""

    name: str
    size: int
    file: IO[bytes]


def pull(source: str, models_dir: Path, *, sha256: str | None = None, force: bool = False) -> Path:
    """Put the bundle of an address, an archive or a folder into ``models_dir``; return its folder there.

    ``sha256`` is an archive's checksum, or that of a folder's manifest. With ``force`` a bundle of the same name and
    version is replaced. Raises ModelError and UnreachableError; ``models_dir`` is then as it was.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        return _pull(source, models_dir, sha256, force=force)
    except OSError as error:  # of the models folder: no right, no room
        raise ModelError(f"{models_dir}: {error.strerror or error}") from error


def _pull(source: str, models_dir: Path, sha256: str | None, *, force: bool) -> Path:
    # A hidden folder is no bundle to the service; beside the others, because a move must not copy.
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=models_dir) as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        if Path(source).is_dir():
            copy_bundle(Path(source), folder)
        else:
            with opened(source, sha256, Path(scratch)) as archive:
                unpack(archive, folder)
        bundle = prove(folder)
        if Path(source).is_dir() and sha256 is not None and bundle.checksum != sha256.lower():
            raise ModelError(f"{source}: the manifest's checksum is {bundle.checksum}, not {sha256}")
        check_listed(bundle)
        return move(bundle, models_dir, force=force)


def prove(folder: Path) -> Bundle:
    """Check a bundle's files and answer its examples again, as the service does. Raises ModelError."""
    from service.bundle import read_bundle
    from service.errors import StartupError
    from service.models.loading import open_predictor
    from service.runtime.session import open_session
    from service.settings import Settings

    try:
        bundle = read_bundle(folder)
        open_predictor(bundle, Settings(models_dir=folder.parent, device="cpu"), open_session)
    except StartupError as error:
        raise ModelError(str(error)) from error
    return bundle


def copy_bundle(source: Path, folder: Path) -> None:
    """Copy the files that a bundle's manifest lists. Raises ModelError."""
    from service.bundle import MANIFEST, load_bundle
    from service.errors import BundleError

    try:
        bundle = load_bundle(source)
        for name in (MANIFEST, *bundle.manifest.files):
            shutil.copyfile(source / name, folder / name)
    except (BundleError, OSError) as error:
        raise ModelError(str(error)) from error


@contextmanager
def opened(source: str, sha256: str | None, scratch: Path) -> Iterator[IO[bytes]]:
    """Open an archive, fetched if it is an address, and checked against its checksum. Raises ModelError and
    UnreachableError."""
    path = Path(source)
    if source.startswith(("http://", "https://")):
        if sha256 is None and source.startswith("http://"):
            raise ModelError(f"{source}: without encryption it needs --sha256, to be sure of what is fetched")
        path = scratch / "archive"
        fetch(source, path)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if sha256 is not None and found != sha256.lower():
                raise ModelError(f"{source}: the checksum is {found}, not {sha256}")
            file.seek(0)
            yield file
    except OSError as error:
        raise ModelError(f"{source}: {error.strerror or error}") from error


def fetch(url: str, path: Path) -> None:
    """Write what lies at an address into a file. Raises UnreachableError, and ModelError if it is too large."""
    import httpx

    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    try:
        with httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as response, path.open("wb") as file:
            response.raise_for_status()
            if url.startswith("https://") and response.url.scheme != "https":
                raise ModelError(f"{url}: leads to {response.url}, which is not encrypted")
            for chunk in response.iter_bytes(CHUNK_BYTES):
                if file.tell() + len(chunk) > MAX_ARCHIVE_BYTES:
                    raise ModelError(f"{url}: more than {MAX_ARCHIVE_BYTES} bytes")
                file.write(chunk)
    except httpx.HTTPError as error:
        raise UnreachableError(f"{url}: {error}") from error


def unpack(archive: IO[bytes], folder: Path) -> None:
    """Write the files of an archive into a folder, by their plain names: nothing of an archive says where. Raises
    ModelError if it holds anything but the files of one folder."""
    from service.bundle import MAX_FILES

    places, num_files, num_bytes = set[PurePosixPath](), 0, 0
    try:
        for member in members_of(archive):
            path = PurePosixPath(member.name)
            places.add(path.parent)
            num_files, num_bytes = num_files + 1, num_bytes + member.size
            if len(places) > 1 or ".." in path.parts or path.name.startswith("."):
                raise ModelError(f"{member.name}: an archive holds the files of one bundle, in one folder")
            if num_files > MAX_FILES + 1 or num_bytes > MAX_ARCHIVE_BYTES:
                raise ModelError(f"more than {MAX_FILES + 1} files or {MAX_ARCHIVE_BYTES} bytes")
            write_member(member, folder / path.name)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ModelError(f"not an archive that can be read: {error}") from error


def write_member(member: Member, path: Path) -> None:
    """Write a file of an archive. Raises ModelError if it is there already, or larger than the archive says."""
    with member.file, path.open("xb") as target:
        left = member.size
        while chunk := member.file.read(min(CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise ModelError(f"{member.name}: larger than the archive says")
            target.write(chunk)


def members_of(archive: IO[bytes]) -> Iterator[Member]:
    """Yield the files of a tar or zip archive. Raises ModelError for links, devices and the like."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                kind = info.external_attr >> 28  # of the file's mode, where the archive has it: 8 is a plain file
                if kind not in {0, 4, 8}:
                    raise ModelError(f"{info.filename}: not a plain file")
                if not info.is_dir():
                    yield Member(info.filename, info.file_size, zipped.open(info))
        return
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:*") as tar:
        for member in tar:
            if not (member.isfile() or member.isdir()):
                raise ModelError(f"{member.name}: not a plain file")
            file = tar.extractfile(member)
            if file is not None:
                yield Member(member.name, member.size, file)


def check_listed(bundle: Bundle) -> None:
    """Raise ModelError if the folder has a file that the manifest does not list, and that no checksum covers."""
    from service.bundle import MANIFEST

    extra = sorted({path.name for path in bundle.folder.iterdir()} - {MANIFEST, *bundle.manifest.files})
    if extra:
        raise ModelError(f"files that the manifest does not list: {', '.join(extra)}")


def move(bundle: Bundle, models_dir: Path, *, force: bool) -> Path:
    """Move a proved bundle to its place in the models folder. Raises ModelError if that version is there already."""
    manifest = bundle.manifest
    same = _folder_with(models_dir, manifest.name, manifest.version)
    if same is None:
        target = models_dir / manifest.name
        target = models_dir / f"{manifest.name}-{manifest.version}" if target.exists() else target
        bundle.folder.rename(target)
        return target
    if not force:
        raise ModelError(f"{same}: has {manifest.name}@{manifest.version} already; --force replaces it")
    same.rename(bundle.folder.parent / "before")  # removed with the scratch folder
    bundle.folder.rename(same)
    return same


def _folder_with(models_dir: Path, name: str, version: str) -> Path | None:
    """Return the folder that has this version of a model, if there is one."""
    from service.bundle import MANIFEST, read_bundle
    from service.errors import BundleError

    for path in sorted(models_dir.glob(f"*/{MANIFEST}")):
        if path.parent.name.startswith("."):
            continue
        try:
            manifest = read_bundle(path.parent).manifest
        except BundleError:
            continue  # a damaged neighbour is its own matter
        if (manifest.name, manifest.version) == (name, version):
            return path.parent
    return None
