"""Letting go of a connection whose client doesn't read."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Abortable:
    """Puts a function into the scope that resets the connection.

    The server closes a connection only once what was written has been taken; a client that never reads would keep it, and its buffers, for ever. ASGI
    has no way to say so, but uvicorn's `send` belongs to an object that holds the transport. It must be the outermost layer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] == "http" and transport is not None:
            scope = {
                **scope,
                "extensions": {**scope.get("extensions", {}), "bellwether.abort": transport.abort},
            }
        await self._app(scope, receive, send)
