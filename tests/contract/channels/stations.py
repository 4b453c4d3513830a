"""Receivers that behave as told, well or badly, on real sockets of the loopback interface."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter, "Station"], Awaitable[None]]


@dataclass
class Request:
    """What came in: the head's fields in lower case, and the body."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Station:
    """A server on `port` whose `requests` (HTTP) or `letters` (SMTP) are what it was given."""

    port: int
    requests: list[Request] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    connections: int = 0
    said_bytes: int = 0
    """Of those that talk without end: what the other side let them say."""


@contextmanager
def station(speak: Speak) -> Iterator[Station]:
    """Serves each connection by `speak` on a thread of its own until the block ends."""
    loop, made = asyncio.new_event_loop(), Station(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.connections += 1
        try:
            await speak(reader, writer, made)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line, headers, body)


def http_answering(status: int, *headers: str, body: bytes = b"", late_seconds: float | None = None) -> Speak:
    """Reads the request and answers it like any web server; `late_seconds`: after that, or when the other side has hung up."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, made: Station) -> None:
        made.requests.append(await _request(reader))
        if late_seconds is not None:
            await _hung_up(reader, late_seconds)
        head = [f"HTTP/1.1 {status} Answer", f"content-length: {len(body)}", "connection: close", *headers]
        writer.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        await writer.drain()

    return speak


def http_in_turn(*bodies: bytes) -> Speak:
    """Answers 200, each request with the next body."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, made: Station) -> None:
        await http_answering(200, body=bodies[len(made.requests)])(reader, writer, made)

    return speak


def http_endless(chunk: bytes = b"x" * 65_536) -> Speak:
    """Answers 200 and then never stops talking."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, made: Station) -> None:
        made.requests.append(await _request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")
        await _without_end(writer, made, chunk)

    return speak


async def _without_end(writer: asyncio.StreamWriter, made: Station, chunk: bytes) -> None:
    while True:
        writer.write(chunk)
        await writer.drain()
        made.said_bytes += len(chunk)


async def _hung_up(reader: asyncio.StreamReader, within_seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), within_seconds)


def http_dripping() -> Speak:
    """Sends a byte of its head now and then, so that no single wait is ever long."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, made: Station) -> None:
        made.requests.append(await _request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    return speak


def hanging() -> Speak:
    """Takes what comes and says nothing, in either protocol."""

    async def speak(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _made: Station) -> None:
        while await reader.read(65_536):
            pass
        await asyncio.Event().wait()

    return speak


def resetting() -> Speak:
    """Cuts every connection off at once."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _made: Station) -> None:
        writer.transport.abort()

    return speak


def smtp(
    *,
    rcpt: str = "250 2.1.5 Ok",
    data: str = "250 2.0.0 Ok",
    greeting: str = "220 station",
    late_seconds: float | None = None,
) -> Speak:
    """A mail server that answers RCPT and the end of DATA as told, the latter late as a web server does."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, made: Station) -> None:
        async def say(text: str) -> None:
            writer.write(text.encode("latin-1") + b"\r\n")
            await writer.drain()

        await say(greeting)
        while line := (await reader.readline()).decode("latin-1").strip().upper():
            if line.startswith("RCPT"):
                await say(rcpt)
            elif line == "DATA":
                await say("354 go on")
                letter = await reader.readuntil(b"\r\n.\r\n")
                made.letters.append(letter[:-5].replace(b"\r\n..", b"\r\n."))
                if late_seconds is not None:
                    await _hung_up(reader, late_seconds)
                await say(data)
            elif line == "QUIT":
                await say("221 bye")
                return
            else:
                await say("250 station")

    return speak


def smtp_dripping() -> Speak:
    """A greeting of which a byte comes now and then."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _made: Station) -> None:
        while True:
            writer.write(b"2")
            await writer.drain()
            await asyncio.sleep(0.05)

    return speak


def smtp_endless() -> Speak:
    """A greeting that never ends."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, made: Station) -> None:
        await _without_end(writer, made, b"220-" + b"x" * 60_000)

    return speak
