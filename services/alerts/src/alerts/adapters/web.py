"""One request to a receiver's server: to the address that was checked, answered within the time-out, read a little, followed nowhere."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address

import httpx

from alerts.adapters.resolving import AddressRefused, NameUnknown, Resolve, checked_address, system_resolver
from alerts.domain.addresses import Address
from alerts.domain.retries import Outcome, parse_retry_after
from alerts.ports.channel import Receipt
from common.clock import Clock

TIMEOUT_SECONDS = 15.0
# The answers' bodies say little that we need; that much is read so that the connection ends politely.
MAX_ANSWER_BYTES = 16_384
USER_AGENT = "Bellwether-Webhooks/1"


class Misconfigured(Exception):
    """The receiver's settings can't work: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body`: the beginning of it, as it came over the wire."""

    status: int
    retry_after: timedelta | None
    body: bytes


class Web:
    """Posts to the address that was checked, with the receiver's name in Host and in the certificate check."""

    def __init__(
        self,
        clock: Clock,
        *,
        resolve: Resolve = system_resolver,
        timeout_seconds: float = TIMEOUT_SECONDS,
        allow_private: bool = False,
    ) -> None:
        self._clock = clock
        self._resolve = resolve
        self._timeout_seconds = timeout_seconds
        self._allow_private = allow_private
        self._tls = ssl.create_default_context()

    async def within_time(self, work: Callable[[], Awaitable[Receipt]]) -> Receipt:
        """What came of `work`, all its requests within one time-out; what a receiver does wrong never raises."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await work()
        except TimeoutError:
            return Receipt(Outcome.RETRY, "timed-out")
        except AddressRefused:
            return Receipt(Outcome.REFUSED, "address-refused")
        except NameUnknown:
            return Receipt(Outcome.RETRY, "name-unknown")
        except (httpx.InvalidURL, ValueError, Misconfigured):
            return Receipt(Outcome.REFUSED, "receiver-misconfigured")
        except httpx.ConnectError:
            return Receipt(Outcome.RETRY, "not-connected")
        except httpx.HTTPError:
            return Receipt(Outcome.RETRY, "connection-broken")

    async def post(
        self,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        private: bool,
        at_most: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """`private`: this receiver may be inside. `at_most`: bytes of the answer that are read. Raises what `within_time` knows."""
        url = httpx.URL(target)
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.InvalidURL("not an address of a web server")
        port = url.port or (443 if url.scheme == "https" else 80)
        allow_private = private or self._allow_private
        address = await checked_address(url.host, port, self._resolve, allow_private=allow_private)
        request = httpx.Request(
            "POST",
            url.copy_with(host=_literal(address), username=None, password=None),
            # Unpacked nowhere: an answer that unpacks to gigabytes stays as small as it is.
            headers={
                "content-type": "application/json",
                "user-agent": USER_AGENT,
                "accept-encoding": "identity",
                **headers,
                "host": url.netloc.decode("ascii"),
            },
            content=body,
            # The name for TLS: the certificate must be that of the receiver, not of an address.
            extensions={"sni_hostname": url.host},
        )
        async with self._client() as client, _streaming(client, request) as answer:
            begun = await _beginning(answer, at_most)
            patience = parse_retry_after(answer.headers.get("retry-after"), self._clock.now())
            return Answer(answer.status_code, patience, begun)

    async def prepare(self) -> None:
        """Asks a server of our own once: the client loads most of itself on its first request, which takes a part of a
        second, and several on a busy machine. That is no time of the first receiver's."""
        with suppress(OSError, httpx.HTTPError):
            async with await asyncio.start_server(_take, "127.0.0.1", 0) as server, self._client() as client:
                await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    def _client(self) -> httpx.AsyncClient:
        """One per attempt: no cookie, no kept connection and no proxy setting comes in between."""
        return httpx.AsyncClient(timeout=self._timeout_seconds, verify=self._tls, trust_env=False)


def receipt_of(answer: Answer) -> Receipt:
    """What a status says where a protocol says nothing more: 2xx is delivered, 410 is gone, the rest is tried again."""
    status = answer.status
    if 200 <= status < 300:
        return Receipt(Outcome.DELIVERED, "delivered", status)
    if status == 410:
        return Receipt(Outcome.GONE, "receiver-gone", status)
    reason = "redirect-refused" if 300 <= status < 400 else _reason(status)
    return Receipt(Outcome.RETRY, reason, status, answer.retry_after)


def _reason(status: int) -> str:
    return (
        "slow-down" if status in (429, 503) else ("receiver-failed" if status >= 500 else "receiver-refused")
    )


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


@asynccontextmanager
async def _streaming(client: httpx.AsyncClient, request: httpx.Request) -> AsyncIterator[httpx.Response]:
    """A response whose body is not read by itself, and nothing of which is followed."""
    answer = await client.send(request, stream=True, follow_redirects=False, auth=None)
    try:
        yield answer
    finally:
        await answer.aclose()


async def _beginning(answer: httpx.Response, at_most: int) -> bytes:
    read = bytearray()
    async for chunk in answer.aiter_raw():
        read += chunk
        if len(read) >= at_most:
            break
    return bytes(read[:at_most])


def _literal(address: Address) -> str:
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)
