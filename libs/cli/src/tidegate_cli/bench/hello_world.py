"""What the gateway's latency is measured beside: FastAPI saying hello on the gateway's own server.

Run as a program, `python -m tidegate_cli.bench.hello_world PORT`; it ends when it is told to.
"""

import asyncio
import sys

import uvloop
from fastapi import FastAPI

from tidegate_gateway.server import listen_at, server_of

_LOOPBACK = "127.0.0.1"


async def hello() -> dict[str, str]:
    """Say hello."""
    return {"hello": "world"}


async def _serve(port: int) -> None:
    app = FastAPI()
    app.get("/")(hello)
    await server_of(app).serve(sockets=[listen_at(_LOOPBACK, port)])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
