"""Other services over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import DefaultCookiePolicy

import httpx

from api_gateway.ports.services import Forwarded, ServiceAnswer, ServiceBroken, ServiceStream
from common.errors import Unavailable

# A page of alerts is far smaller; more than this is not an answer of ours.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
# The live view pings every 15 s; after this long without anything it counts as gone.
STREAM_SILENCE_SECONDS = 60.0
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)


class HttpService:
    """Service over httpx. Open it and use it on one event loop."""

    def __init__(self, name: str, url: str, timeout_seconds: float, long_seconds: float = 120.0) -> None:
        self.name = name
        self._long = httpx.Timeout(long_seconds, connect=min(timeout_seconds, 2.0))
        timeout = httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 2.0))
        # Environment proxies must not come between two of our own services.
        self._client = httpx.AsyncClient(
            base_url=url, timeout=timeout, limits=_LIMITS, trust_env=False, follow_redirects=False
        )
        # One client serves all callers: what a service would set for one of them must not go on with another's request.
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._streams = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(timeout_seconds, connect=2.0, read=STREAM_SILENCE_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
            follow_redirects=False,
        )

    async def ask(self, request: Forwarded) -> ServiceAnswer:
        try:
            async with self._client.stream(
                request.method,
                self._url(request),
                headers=dict(request.headers),
                content=request.body,
                timeout=self._long if request.takes_long else httpx.USE_CLIENT_DEFAULT,
            ) as answer:
                return ServiceAnswer(answer.status_code, dict(answer.headers), await _bounded(answer))
        except httpx.DecodingError as error:
            raise ServiceBroken(f"the {self.name} service sent an answer that can't be decoded") from error
        except httpx.HTTPError as error:
            raise self._unavailable() from error

    @asynccontextmanager
    async def listen(self, request: Forwarded) -> AsyncIterator[ServiceStream]:
        outgoing = self._streams.build_request(
            request.method, self._url(request), headers=dict(request.headers)
        )
        try:
            answer = await self._streams.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            raise self._unavailable() from error
        try:
            yield ServiceStream(answer.status_code, dict(answer.headers), self._parts(answer))
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self._streams.aclose()

    async def _parts(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for part in answer.aiter_bytes():
                yield part
        except httpx.HTTPError as error:
            raise self._unavailable() from error

    def _url(self, request: Forwarded) -> httpx.URL:
        # copy_with(raw_path=...) keeps the caller's own percent-encoding.
        base = self._client.base_url
        return base.copy_with(raw_path=base.raw_path.rstrip(b"/") + request.target.encode("ascii"))

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"{self.name}-unavailable", f"the {self.name} service does not answer; try again shortly", 2
        )


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise ServiceBroken("the service's answer is too large")
    return bytes(body)
