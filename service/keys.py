"""Program ``python -m service.keys NAME``: makes an API key."""

import sys

from service.api_keys import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
