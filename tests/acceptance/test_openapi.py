"""Every operation of every document, with what it asks for and with what it does not: an answer, never a failure or a silence.

The documents are those that the running services serve; what the gateway forwards is asked through the gateway.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant

ASKED_OF = {"gateway": "gateway", "ingest": "ingest", "alerts": "gateway"}
EXAMPLES = 5
ANSWER_SECONDS = 40
# Operations that no key in the header opens: another key is the argument, or a cookie is.
BY_ANOTHER_KEY = ("POST /v1/session", "DELETE /v1/session", "GET /v1/projects/{write_key}/settings")

Operation = APIOperation[Any, Any, Any, Any]


@pytest.fixture(scope="module")
def prey(new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant("openapi")


def document_of(stack: Stack, service: str) -> dict[str, Any]:
    answer = stack.client.send(service, "GET", "/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations_of(stack: Stack, service: str) -> list[Operation]:
    schema = schemathesis.openapi.from_dict(document_of(stack, service))
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    methods = sum(len(path) for path in document_of(stack, service)["paths"].values())
    assert len(operations) == methods, "an operation of the document could not be read"
    return operations


def key_for(tenant: Tenant, service: str, case: Case[Any]) -> str:
    if service == "ingest" and case.method == "POST":
        return tenant.keys["ingest"]
    return tenant.keys["admin"]


def answer_to(stack: Stack, tenant: Tenant, service: str, case: Case[Any]) -> int:
    """The status, after everything about the answer was looked at. A stream is left once it began."""
    request = case.as_transport_kwargs(
        base_url=stack.urls[ASKED_OF[service]],
        headers={"authorization": f"Bearer {key_for(tenant, service, case)}"},
    )
    with requests.Session() as session:
        session.trust_env = False
        with session.request(**request, stream=True, timeout=ANSWER_SECONDS) as answer:
            status, kind = answer.status_code, answer.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                assert status < 500, answer.text[:500]
                check(status, kind, answer)
    return int(status)


def check(status: int, kind: str, answer: requests.Response) -> None:
    if status < 400:
        return
    if kind.startswith("text/plain"):  # the parser of HTTP refused it before anybody saw a request
        assert status == 400, answer.text[:500]
        return
    if kind.startswith(
        "text/html"
    ):  # the pages behind the buttons of notices: people open them, without a key
        assert answer.url.partition("/v1/buttons/")[1], answer.url
        assert status in (404, 409), answer.text[:500]
        return
    body = answer.json()
    body = body["rejected"][0] if body.get("rejected") else body
    assert body["code"], body
    assert body["message"], body


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", ASKED_OF)
def test_every_operation_answers_whatever_comes(stack: Stack, prey: Tenant, service: str) -> None:
    statuses: dict[str, Counter[int]] = defaultdict(Counter)
    # What alerts serves is asked by its own document, which says more of it than the gateway's.
    others = paths_of(stack, "alerts") if service == "gateway" else set()
    for operation in operations_of(stack, service):
        if shape(operation.path, operation.method.lower()) in others:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try_operation(stack, prey, service, operation, mode, statuses[operation.label])
    locked = {name for name, seen in statuses.items() if set(seen) <= {401, 403}}
    assert locked - set(BY_ANOTHER_KEY) == set(), "nobody was let in, so nothing was tried"


def try_operation(
    stack: Stack, prey: Tenant, service: str, operation: Operation, mode: GenerationMode, seen: Counter[int]
) -> None:
    @settings(
        max_examples=EXAMPLES, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: Case[Any]) -> None:
        note(f"{operation.label}: {case.as_curl_command()}")
        seen[answer_to(stack, prey, service, case)] += 1

    # Where nothing can be wrong, as with a path of any text, there is nothing to generate.
    with suppress(Unsatisfiable):
        tried()


def test_what_the_gateway_forwards_is_in_its_document(stack: Stack) -> None:
    assert paths_of(stack, "alerts") - paths_of(stack, "gateway") == set()


def paths_of(stack: Stack, service: str) -> set[tuple[str, str]]:
    return {
        shape(path, method) for path, ops in document_of(stack, service)["paths"].items() for method in ops
    }


def shape(path: str, method: str) -> tuple[str, str]:
    """Whatever the parameters are called."""
    return method, "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
