"""Answering probes beside other work, and ending before the interpreter does."""

import threading

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from common.http.serve import serving_aside
from common.local.ports import free_ports
from common.testing import wait_until


def config(port: int) -> uvicorn.Config:
    app = Starlette(routes=[Route("/healthz", lambda _: PlainTextResponse("ok"))])
    return uvicorn.Config(app, "127.0.0.1", port, log_level="warning", timeout_graceful_shutdown=1)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").text == "ok"
    except httpx.TransportError:
        return False


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ops"]


def test_it_answers_while_the_block_runs_and_its_loop_has_ended_after_it() -> None:
    [port] = free_ports(1)
    with serving_aside(config(port)), httpx.Client() as kept_alive:
        wait_until(lambda: answers(port), 20, "an answer")
        assert kept_alive.get(f"http://127.0.0.1:{port}/healthz").text == "ok"
        assert len(threads()) == 1
    assert threads() == []
    assert not answers(port)


@pytest.mark.parametrize("error", [None, RuntimeError("the work failed")])
def test_it_ends_however_soon_the_block_is_left_and_by_whatever(error: Exception | None) -> None:
    [port] = free_ports(1)

    def work() -> None:
        with serving_aside(config(port)):
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(RuntimeError, match="the work failed"):
            work()
    assert threads() == []
    assert not answers(port)
