"""The image's health check, without curl: exit status 0 while the service is ready, 1 otherwise."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection

TIMEOUT_SECONDS = 2


def ready(port: int) -> bool:
    connection = HTTPConnection("localhost", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if ready(int(os.environ.get("RIBBON_PORT", "8000"))) else 1)
