"""The gateway in front of another service, well and unwell."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.integration.api_gateway.listening import Listening
from tests.integration.api_gateway.world import Served, Tenant, World, serving

from common.testing import wait_until


@dataclass
class Neighbour:
    """A service that keeps what it was asked. What it answers depends on the path."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    ending: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    neighbour: Neighbour

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.neighbour.asked.append(
            {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
        )
        if "endless" in self.path:
            self._endless()
        elif "hang" in self.path:
            self.neighbour.ending.wait()
        elif "cut" in self.path:
            self._head(200, {"Content-Length": "1000"})
            self.wfile.write(b"{")
            self.close_connection = True
        elif "live" in self.path:
            self._live()
        elif "elsewhere" in self.path:
            self._whole(302, b"", {"Location": "http://127.0.0.1:1/"})
        else:
            self._whole(201, b'{"done":true}', {"ETag": '"x"', "Set-Cookie": "a=b", "X-Own": "1"})

    def do_GET(self) -> None:
        self.do_POST()

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._head(status, {"Content-Length": str(len(body)), **headers})
        self.wfile.write(body)

    def _endless(self) -> None:
        self._head(200, {"Content-Length": str(10**12)})
        try:
            while not self.neighbour.ending.is_set():
                self.wfile.write(b" " * 1_000_000)
        except OSError:
            self.close_connection = True

    def _live(self) -> None:
        self._head(200, {"Content-Type": "text/event-stream", "Connection": "close"})
        self.close_connection = True
        try:
            while not self.neighbour.ending.wait(0.05):
                self.wfile.write(b'id: 1\ndata: {"fate":"accep')
                self.wfile.flush()
                self.wfile.write(b'ted"}\n\n')
        except OSError:
            self.neighbour.gone.set()


@contextmanager
def neighbouring() -> Iterator[Neighbour]:
    neighbour = Neighbour()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"neighbour": neighbour}))
    server.daemon_threads = True
    neighbour.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield neighbour
    finally:
        neighbour.ending.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Neighbour]:
    with neighbouring() as found:
        yield found


@pytest.fixture(scope="module")
def in_front(world: World, neighbour: Neighbour) -> Iterator[Served]:
    with serving(
        world.url, alerts_url=neighbour.url, ingest_url=neighbour.url, forward_seconds=60.0
    ) as served:
        yield served


@pytest.fixture
def impatient(world: World, neighbour: Neighbour) -> Iterator[Served]:
    """A gateway that gives no service the time to answer."""
    with serving(world.url, alerts_url=neighbour.url, forward_seconds=0.5) as served:
        yield served


def test_a_request_goes_on_as_it_is_with_the_callers_own_key(
    ours: Tenant, in_front: Served, neighbour: Neighbour
) -> None:
    answer = in_front.post(
        "/v1/alerts/a%2Fb/comment?x=%20y&z=%C3%A9", ours, {"comment": "é"}, "act", Cookie="a=b"
    )
    asked = neighbour.asked[-1]
    assert (asked["method"], asked["path"]) == ("POST", "/v1/alerts/a%2Fb/comment?x=%20y&z=%C3%A9")
    assert json.loads(asked["body"]) == {"comment": "é"}
    headers = {name.lower(): value for name, value in asked["headers"].items()}
    assert headers["authorization"] == f"Bearer {ours.keys['act']}"
    assert "cookie" not in headers
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (201, {"done": True}, '"x"')
    assert "set-cookie" not in answer.headers
    assert "x-own" not in answer.headers


def test_a_cookie_is_turned_into_the_key_it_stands_for(
    ours: Tenant, in_front: Served, neighbour: Neighbour
) -> None:
    own_page = {"X-Bellwether-Dashboard": "1"}
    signed = in_front.client.post("/v1/session", json={"key": ours.keys["act"]}, headers=own_page)
    cookie = {"Cookie": signed.headers["set-cookie"].split(";")[0]}
    in_front.client.cookies.clear()
    assert in_front.client.post("/v1/alerts/x/acknowledge", json={}, headers=cookie).status_code == 403
    assert (
        in_front.client.post("/v1/alerts/x/acknowledge", json={}, headers={**cookie, **own_page}).status_code
        == 201
    )
    assert dict(neighbour.asked[-1]["headers"])["authorization"] == f"Bearer {ours.keys['act']}"


def test_a_button_s_link_goes_on_without_a_key_and_nobody_s_cookie(
    ours: Tenant, in_front: Served, neighbour: Neighbour
) -> None:
    link = "/v1/buttons/MXwxfDF8YWNr.abc-_0"
    for answer in (
        in_front.client.get(link, headers={"Cookie": "bellwether_session=x"}),
        in_front.client.post(
            link, data={"days": "7"}, headers={"Authorization": f"Bearer {ours.keys['act']}"}
        ),
    ):
        assert answer.status_code == 201
        asked = neighbour.asked[-1]
        assert asked["path"] == link
        assert not {"authorization", "cookie"} & {name.lower() for name in asked["headers"]}
    assert neighbour.asked[-1]["body"] == b"days=7"
    assert in_front.client.get("/v1/buttons/").status_code == 404
    assert in_front.client.put(link).status_code == 405


def test_a_service_that_is_down_is_503_with_a_time_to_retry(world: World, ours: Tenant) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with serving(world.url, alerts_url=url, ingest_url=url) as gateway:
            for path, code in (
                ("/v1/alerts", "alerts-unavailable"),
                ("/v1/events/recent", "ingest-unavailable"),
                ("/v1/events/live", "ingest-unavailable"),
            ):
                answer = gateway.get(path, ours)
                assert (answer.status_code, answer.json()["code"]) == (503, code)
                assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("cut", 503, "alerts-unavailable"),
        ("endless", 502, "alerts-broken"),
    ],
)
def test_a_service_that_misbehaves_is_cut_short(
    ours: Tenant, in_front: Served, path: str, status: int, code: str
) -> None:
    answer = in_front.get(f"/v1/alerts/{path}", ours)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_service_that_never_answers_is_not_waited_for(ours: Tenant, impatient: Served) -> None:
    answer = impatient.get("/v1/alerts/hang", ours)
    assert (answer.status_code, answer.json()["code"]) == (503, "alerts-unavailable")


def test_a_redirect_is_not_followed(ours: Tenant, in_front: Served) -> None:
    assert in_front.get("/v1/rules/elsewhere", ours).status_code == 302


def test_large_bodies_and_paths_that_climb_are_refused(
    ours: Tenant, in_front: Served, neighbour: Neighbour
) -> None:
    before = len(neighbour.asked)
    assert in_front.post("/v1/alerts/x/comment", ours, {"comment": "x" * 300_000}, "act").status_code == 413
    assert in_front.get("/v1/alerts/%2e%2e/metrics", ours).status_code == 404
    assert len(neighbour.asked) == before


def test_the_live_view_passes_whole_events_and_lets_go_when_the_client_does(
    ours: Tenant, in_front: Served, neighbour: Neighbour
) -> None:
    with Listening(f"{in_front.url}/v1/events/live", ours.headers()) as client:
        assert client.wait_for("").data == {"fate": "accepted"}
        wait_until(lambda: len(client.heard) > 5, 60, "more events")
    assert neighbour.gone.wait(60)
    wait_until(lambda: in_front.gateway.hub.size == 0, 60, "the stream to be forgotten")
