"""API keys: a file of names and hashes, so that a reader of the file cannot use the keys.

``python -m service.keys NAME`` makes a key, shows it once, and prints the line for the file.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import SettingsError

SETTING = "RIBBON_API_KEYS_FILE"
KEY_PREFIX = "rbn_"  # so that scanners for leaked secrets, and people, know one when they see it
RANDOM_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_OPTIONS = {
    "items": re.compile(r"(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII),
    "burst": re.compile(r"(?=.*[1-9])[0-9]{1,9}", re.ASCII),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Name and hash of a key, and its rate limit if it has one of its own; the key itself is kept nowhere."""

    name: str
    digest: bytes  # SHA-256
    items_per_second: float | None = None
    burst: int | None = None


class ApiKeys:
    """Keys that are accepted, from a file that may be read again."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises SettingsError."""
        self._path = path
        self._keys = _read(path)

    @property
    def names(self) -> list[str]:
        return [key.name for key in self._keys]

    def presented(self, headers: Iterable[tuple[bytes, bytes]]) -> ApiKey | None:
        """Return the key that was sent in these headers; None if there is none or it is not known."""
        key = presented_key(headers)
        return None if key is None else self.find(key)

    def find(self, presented: bytes) -> ApiKey | None:
        """Find the key. It takes the same time whichever key it is, and if it is none."""
        digest, found = hashlib.sha256(presented).digest(), None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def reread(self) -> Callable[[], None]:
        """Read the file again and return a function that puts its keys in force. Raises SettingsError if it is bad."""
        keys = _read(self._path)

        def adopt() -> None:
            before, self._keys = self._keys, keys
            if before != keys:
                _log.info("keys reloaded", extra={"names": ", ".join(self.names)})

        return adopt


def presented_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the key sent as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``, whichever header comes first."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return key.strip()
        elif name == b"x-api-key":
            return value.strip()
    return None


def new_key() -> str:
    """Make a random key that is safe in any header."""
    return KEY_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def line_for(name: str, key: str) -> str:
    """Return the line of the key file for a name and a key. Raises SettingsError if the name is not allowed."""
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r}: a name is 1 to 64 of the letters A-Z and a-z, digits, and . _ -")
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def main(arguments: Sequence[str]) -> int:
    """Run the program: the line goes to standard output, so that ``>> FILE`` appends it, the key to standard error."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m service.keys NAME >> FILE\n")
        return 2
    key = new_key()
    try:
        line = line_for(arguments[0], key)
    except SettingsError as error:
        sys.stderr.write(f"ribbon: {error}\n")
        return 1
    sys.stderr.write(f"The key, which is kept nowhere:\n{key}\nThe line for the file that {SETTING} names:\n")
    sys.stdout.write(f"{line}\n")
    return 0


def _read(path: Path) -> tuple[ApiKey, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text in UTF-8"
        raise SettingsError(f"{SETTING}={path}: {reason}") from None
    if mode & (stat.S_IWGRP | stat.S_IRWXO):
        _log.warning("others may read or change the file of keys", extra={"file": str(path)})
    keys = [
        _parse(line.strip(), f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    _check_unique(keys, path)
    return tuple(keys)


def _parse(line: str, place: str) -> ApiKey:
    """Parse a line, which is never quoted in errors: it may be a key that was put there by mistake."""
    name, _, rest = line.partition(":")
    digest, *options = rest.split(":")
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{place}: a name is 1 to 64 of the letters A-Z and a-z, digits, and . _ -")
    if not _HASH.fullmatch(digest):
        raise SettingsError(
            f"{place}: after the name and a colon comes the key's SHA-256 in 64 hexadecimal digits, "
            "as `python -m service.keys NAME` prints it"
        )
    return ApiKey(name=name, digest=bytes.fromhex(digest), **_limits(options, place))


def _limits(options: Sequence[str], place: str) -> dict[str, Any]:
    """Parse the options of a line, such as ``items=50`` and ``burst=200``."""
    given = dict(option.partition("=")[::2] for option in options)
    known = all(name in _OPTIONS and _OPTIONS[name].fullmatch(value) for name, value in given.items())
    if not known or len(given) < len(options):
        raise SettingsError(
            f"{place}: options are items=NUMBER (per second) and burst=WHOLE NUMBER, both above 0 and each once"
        )
    if "burst" in given and "items" not in given:
        raise SettingsError(f"{place}: burst needs items")
    return {
        "items_per_second": float(given["items"]) if "items" in given else None,
        "burst": int(given["burst"]) if "burst" in given else None,
    }


def _check_unique(keys: Sequence[ApiKey], path: Path) -> None:
    if not keys:
        raise SettingsError(f"{SETTING}={path}: it holds no key, so nobody could be let in")
    for kind, values in (("name", [key.name for key in keys]), ("hash", [key.digest for key in keys])):
        seen: set[object] = set()
        for key, value in zip(keys, values, strict=True):
            if value in seen:
                raise SettingsError(f"{path}: the {kind} of {key.name} is there twice")
            seen.add(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
