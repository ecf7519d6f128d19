"""Mosec: a front in Rust, two worker processes of one stage, dynamic batches of 32 requests or 5 ms."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from mosec import Server, Worker
from mosec.runtime import Runtime

from bench.peers.pipeline import Item, Pipeline, texts_of

MAX_BATCH, WAIT_MS = int(os.environ.get("PEER_MAX_BATCH", "32")), 5
_decoder = msgspec.json.Decoder(dict[str, Any])


class Peer(Worker):  # type: ignore[misc]  # mosec is not installed where types are checked
    """Worker of the one stage: encodes, runs and writes a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.pipeline = Pipeline()

    def deserialize(self, data: bytes) -> list[Item]:
        return self.pipeline.encode(texts_of(_decoder.decode(data)["text"]))

    def forward(self, data: Sequence[list[Item]]) -> list[bytes]:
        return self.pipeline.answer(data)

    def serialize(self, data: bytes) -> bytes:
        return data


def main() -> None:
    """Serve; mosec takes address, timeout and the bound of its queue from the command line only."""
    capacity = os.environ.get("PEER_QUEUE", "1024")
    arguments = ["--address", "127.0.0.1", "--port", os.environ["PEER_PORT"], "--timeout", "60000"]
    sys.argv = [sys.argv[0], *arguments, "--capacity", capacity, "--log-level", "warning"]
    server = Server()
    runtime = Runtime(
        worker=Peer, num=int(os.environ["PEER_WORKERS"]), max_batch_size=MAX_BATCH, max_wait_time=WAIT_MS, timeout=60
    )
    server.register_runtime({f"/{os.environ['PEER_TASK']}": [runtime]})
    server.run()


if __name__ == "__main__":
    main()
