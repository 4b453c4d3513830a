"""Signed webhooks as Standard Webhooks describes them."""

import asyncio
import binascii
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv6Address

import httpx
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from alerts.adapters.resolving import AddressRefused, NameUnknown, Resolve, checked_address, system_resolver
from alerts.domain.addresses import Address
from alerts.domain.retries import Outcome, parse_retry_after
from alerts.ports.channel import Channel, Delivery, Receipt
from common.clock import Clock

TIMEOUT_SECONDS = 15.0
# The answer's body says nothing we need; a little is read so that the connection ends politely.
MAX_ANSWER_BYTES = 16_384
USER_AGENT = "Bellwether-Webhooks/1"


class WebhookChannel(Channel):
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

    async def deliver(self, delivery: Delivery) -> Receipt:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._deliver(delivery)
        except TimeoutError:
            return Receipt(Outcome.RETRY, "timed-out")
        except AddressRefused:
            return Receipt(Outcome.REFUSED, "address-refused")
        except NameUnknown:
            return Receipt(Outcome.RETRY, "name-unknown")
        except (httpx.InvalidURL, ValueError, EmptyWebhookSecretError):
            return Receipt(Outcome.REFUSED, "receiver-misconfigured")
        except httpx.ConnectError:
            return Receipt(Outcome.RETRY, "not-connected")
        except httpx.HTTPError:
            return Receipt(Outcome.RETRY, "connection-broken")

    async def prepare(self) -> None:
        """Asks a server of our own once: the client loads most of itself on its first request, which takes a part of a
        second, and several on a busy machine. That is no time of the first receiver's."""
        with suppress(OSError, httpx.HTTPError):
            async with await asyncio.start_server(_take, "127.0.0.1", 0) as server, self._client() as client:
                await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    def _client(self) -> httpx.AsyncClient:
        """One per attempt: no cookie, no kept connection and no proxy setting comes in between."""
        return httpx.AsyncClient(timeout=self._timeout_seconds, verify=self._tls, trust_env=False)

    async def _deliver(self, delivery: Delivery) -> Receipt:
        url = httpx.URL(delivery.receiver.target)
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.InvalidURL("not an address of a web server")
        headers = _signed_headers(delivery)
        port = url.port or (443 if url.scheme == "https" else 80)
        allow_private = delivery.receiver.allow_private or self._allow_private
        address = await checked_address(url.host, port, self._resolve, allow_private=allow_private)
        request = httpx.Request(
            "POST",
            url.copy_with(host=_literal(address), username=None, password=None),
            headers={**headers, "host": url.netloc.decode("ascii")},
            content=delivery.body.encode(),
            # The name for TLS: the certificate must be that of the receiver, not of an address.
            extensions={"sni_hostname": url.host},
        )
        async with self._client() as client, _streaming(client, request) as answer:
            await _read_a_little(answer)
            return self._receipt(answer)

    def _receipt(self, answer: httpx.Response) -> Receipt:
        status = answer.status_code
        if 200 <= status < 300:
            return Receipt(Outcome.DELIVERED, "delivered", status)
        if status == 410:
            return Receipt(Outcome.GONE, "receiver-gone", status)
        retry_after = parse_retry_after(answer.headers.get("retry-after"), self._clock.now())
        reason = "redirect-refused" if 300 <= status < 400 else _reason(status)
        return Receipt(Outcome.RETRY, reason, status, retry_after)


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


def _reason(status: int) -> str:
    return (
        "slow-down" if status in (429, 503) else ("receiver-failed" if status >= 500 else "receiver-refused")
    )


@asynccontextmanager
async def _streaming(client: httpx.AsyncClient, request: httpx.Request) -> AsyncIterator[httpx.Response]:
    """A response whose body is not read by itself, and nothing of which is followed."""
    answer = await client.send(request, stream=True, follow_redirects=False, auth=None)
    try:
        yield answer
    finally:
        await answer.aclose()


async def _read_a_little(answer: httpx.Response) -> None:
    read = 0
    # Raw: an answer that unpacks to gigabytes is never unpacked.
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read >= MAX_ANSWER_BYTES:
            return


def _signed_headers(delivery: Delivery) -> dict[str, str]:
    """Raises ValueError when a secret is none."""
    at = delivery.at.astimezone(UTC)
    try:
        signatures = [
            Webhook(secret).sign(delivery.id, at, delivery.body) for secret in delivery.receiver.secrets
        ]
    except binascii.Error as error:
        raise ValueError("not a webhook secret") from error
    if not signatures:
        raise ValueError("a webhook needs a secret")
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": delivery.id,
        "webhook-timestamp": str(_whole_seconds(at)),
        "webhook-signature": " ".join(signatures),
    }


def _whole_seconds(at: datetime) -> int:
    return int(at.timestamp() // 1)


def _literal(address: Address) -> str:
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)
