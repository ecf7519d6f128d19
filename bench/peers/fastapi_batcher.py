"""FastAPI with the batcher that people write: a queue, up to 32 requests or 5 ms, run on a thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel

from bench.peers.pipeline import Pipeline, texts_of

MAX_BATCH, WAIT_SECONDS = int(os.environ.get("PEER_MAX_BATCH", "32")), 0.005
pipeline = Pipeline()
Waiting = tuple[list[str], asyncio.Future[bytes]]


def answer_all(requests: list[list[str]]) -> list[bytes]:
    return pipeline.answer([pipeline.encode(texts) for texts in requests])


async def run_forever(queue: asyncio.Queue[Waiting]) -> None:
    """Take a batch as soon as the thread is free: the first request, and what comes within the wait."""
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    while True:
        batch = [await queue.get()]
        until = loop.time() + WAIT_SECONDS
        while len(batch) < MAX_BATCH:
            if not queue.empty():
                batch.append(queue.get_nowait())
                continue
            try:
                batch.append(await asyncio.wait_for(queue.get(), until - loop.time()))
            except TimeoutError:
                break
        bodies = await loop.run_in_executor(thread, answer_all, [texts for texts, _ in batch])
        for (_, done), body in zip(batch, bodies, strict=True):
            if not done.done():
                done.set_result(body)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.queue = asyncio.Queue()
    task = asyncio.create_task(run_forever(app.state.queue))
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


class Body(BaseModel):
    """The request's fields."""

    text: str | list[str]


@app.post(f"/{pipeline.task}")
async def answer(body: Body) -> Response:
    done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    app.state.queue.put_nowait((texts_of(body.text), done))
    return Response(await done, media_type="application/json")


if __name__ == "__main__":
    queue = os.environ.get("PEER_QUEUE")
    uvicorn.run(
        "bench.peers.fastapi_batcher:app",
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        access_log=False,
        log_level="warning",
        workers=int(os.environ["PEER_WORKERS"]),
        limit_concurrency=int(queue) if queue else None,
        timeout_worker_healthcheck=60,  # a start on a busy machine takes longer than the usual five seconds
    )
