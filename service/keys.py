"""Program ``python -m service.keys NAME``: makes an API key, shows it once, and prints the line for the key file."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from service.api.keys import SETTING, line_for, new_key
from service.errors import SettingsError


def main(arguments: Sequence[str]) -> int:
    """Write the line to standard output, so that ``>> FILE`` appends it, and the key to standard error, for a
    person."""
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
