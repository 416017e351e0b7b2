"""The waiting room: it refuses, too, but takes its time.

Somebody who asks again as soon as they are refused is slowed down to one request a second for each
of their connections, whatever they do; to wait costs us a socket and nothing else. Refusals at
once, even by Caddy, were measured: at 20,000 a second the gateway itself was what neighbours
waited for.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

SECONDS = 1.0
MOST = 2_000  # Who wait at once; beyond that the answer comes without a wait.
LONGEST_HEAD = 64 * 1024
BODY = b"Too many requests. Try again in a moment.\n"
ANSWER = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
    b"Retry-After: 2\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class WaitingRoom:
    """Answers every request with 429, a second later."""

    def __init__(self) -> None:
        self.waiting = 0

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; a body isn't read."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            if self.waiting < MOST:
                self.waiting += 1
                try:
                    await asyncio.sleep(SECONDS)
                finally:
                    self.waiting -= 1
            writer.write(ANSWER)
            await writer.drain()
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def serve(self, host: str, port: int) -> None:
        server = await asyncio.start_server(self.receive, host, port, limit=LONGEST_HEAD)
        async with server:
            await server.serve_forever()


def keep_open(host: str, port: int, beside: Callable[[], None]) -> None:
    """Keep the waiting room open while `beside` runs in a thread of its own; ends with it."""

    async def both() -> None:
        room = asyncio.create_task(WaitingRoom().serve(host, port))
        work = asyncio.create_task(asyncio.to_thread(beside))
        done, _ = await asyncio.wait({room, work}, return_when=asyncio.FIRST_COMPLETED)
        room.cancel()
        for task in done:
            task.result()

    asyncio.run(both())
