"""A refused request says what is wrong and what to do, also where the framework refused it."""

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from common.http.validation import install_handlers


class Thing(BaseModel):
    name: str


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    install_handlers(app)

    @app.post("/things")
    def make(body: Thing) -> str:
        return body.name

    return TestClient(app)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        (
            "GET",
            "/nothing",
            b"",
            404,
            "there is nothing at this address; the API reference lists what there is",
        ),
        ("PATCH", "/things", b"", 405, "this address does not take PATCH; it takes POST"),
        ("POST", "/things", b"{,", 400, "#/body: not valid JSON at character 1: Expecting property name"),
        ("POST", "/things", b'{"name": "\xff"}', 400, "the body cannot be read as JSON"),
        ("POST", "/things", b"[" * 100_000, 400, "the body cannot be read as JSON"),
        (
            "POST",
            "/things",
            b"[1]",
            400,
            "#/body: must be a JSON object, sent with `Content-Type: application/json`",
        ),
        ("POST", "/things", b'{"name": 1}', 400, "#/body/name: Input should be a valid string"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    client: TestClient, method: str, path: str, body: bytes, status: int, message: str
) -> None:
    answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)
