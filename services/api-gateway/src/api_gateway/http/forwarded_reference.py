"""The routes of the alerts service, as the gateway's reference shows them."""

from dataclasses import dataclass
from typing import Any

from fastapi import Response

from api_gateway.http import schemas
from api_gateway.http.reference import BAD, GONE, PROBLEM_CONTENT, route


@dataclass(frozen=True, slots=True)
class ForwardedRoute:
    """A route of the alerts service as this reference shows it."""

    method: str
    path: str
    summary: str
    description: str

    @property
    def operation_id(self) -> str:
        words = self.path.removeprefix("/v1/").replace("{", "").replace("}", "").replace("/", "_")
        return f"{self.method.lower()}_{words}"

    @property
    def documentation(self) -> dict[str, Any]:
        known = route(
            self.summary,
            self.description,
            schemas.Anything,
            BAD | GONE | {502: "The alerts service answered something unusable"},
        )
        return {**known, "openapi_extra": {"parameters": [self._parameter(name) for name in self._names()]}}

    def _names(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @staticmethod
    def _parameter(name: str) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class LinkRoute:
    """A page behind a button of a notice. The link is signed and needs no key."""

    method: str
    summary: str
    description: str

    @property
    def documentation(self) -> dict[str, Any]:
        page = {"text/html": {"schema": {"type": "string"}}}
        token = {
            "name": "token",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "maxLength": 400},
        }
        return {
            "summary": self.summary,
            "description": self.description,
            "operation_id": f"{self.method.lower()}_button",
            "response_class": Response,
            "responses": {
                200: {"description": "A page", "content": page},
                404: {"description": "The link is not good, or not any more", "content": page},
                409: {"description": "The case was closed meanwhile; nothing was changed", "content": page},
                413: {"description": "The form is too large", "content": PROBLEM_CONTENT},
                502: {
                    "description": "The alerts service answered something unusable",
                    "content": PROBLEM_CONTENT,
                },
                503: {"description": "Try again after Retry-After seconds", "content": PROBLEM_CONTENT},
            },
            "openapi_extra": {"parameters": [token]},
        }


LINK = "/v1/buttons/{token}"
LINKS = (
    LinkRoute("GET", "Open a button's link", "Shows what it would do. Changes nothing, and needs no key."),
    LinkRoute(
        "POST", "Press a button", "Does it, once, as the person of the receiver that was sent the link."
    ),
)
FORWARDED_PREFIXES = (
    "/v1/alerts",
    "/v1/rules",
    "/v1/receivers",
    "/v1/silences",
    "/v1/notifications",
    "/v1/on-call",
    "/v1/people",
    "/v1/mute-times",
    "/v1/loss-reviews",
    "/v1/accuracy",
)
FORWARDED = (
    ForwardedRoute(
        "GET",
        "/v1/alerts",
        "List cases",
        "Cases, newest first, or most at stake first (`sort=priority`): the work queue.",
    ),
    ForwardedRoute(
        "GET", "/v1/alerts/{id}", "Show a case", "Its signals as evidence, and everything that was done."
    ),
    ForwardedRoute(
        "POST", "/v1/alerts/{id}/acknowledge", "Acknowledge", "Say that somebody is on it. Needs scope act."
    ),
    ForwardedRoute("POST", "/v1/alerts/{id}/assign", "Assign", "Give it to somebody. Needs scope act."),
    ForwardedRoute("POST", "/v1/alerts/{id}/snooze", "Snooze", "Be told again later. Needs scope act."),
    ForwardedRoute("POST", "/v1/alerts/{id}/comment", "Comment", "Add words. Needs scope act."),
    ForwardedRoute(
        "POST",
        "/v1/alerts/{id}/outcome",
        "Record the outcome",
        "Was the risk real, and what happened? Needs scope act.",
    ),
    ForwardedRoute(
        "POST",
        "/v1/alerts/{id}/verdict",
        "Say whether the risk was real",
        "Apart from what happened, and also of a closed case. Needs scope act.",
    ),
    ForwardedRoute(
        "POST",
        "/v1/alerts/{id}/expected",
        "Expected until",
        "Quiet is expected until a day, holidays for instance. Needs scope act.",
    ),
    ForwardedRoute(
        "POST",
        "/v1/alerts/{id}/steps/{step_id}",
        "Do a step of the playbook",
        "It is done, skipped, or to do after all. Needs scope act.",
    ),
    ForwardedRoute("GET", "/v1/on-call", "Who is on call", "In each rotation, now and in the next weeks."),
    ForwardedRoute(
        "POST", "/v1/on-call/overrides", "Override on call", "Somebody else for a while. Needs scope act."
    ),
    ForwardedRoute(
        "DELETE",
        "/v1/on-call/overrides/{id}",
        "End an override",
        "The rotation counts again. Needs scope act.",
    ),
    ForwardedRoute("GET", "/v1/people", "List people", "Where they are reached, and who is away."),
    ForwardedRoute(
        "POST",
        "/v1/people/{name}/leaves",
        "Go on leave",
        "Who stands in gets notices and digest. Needs scope act.",
    ),
    ForwardedRoute(
        "DELETE",
        "/v1/people/{name}/leaves/{id}",
        "End a leave",
        "They act for themselves again. Needs scope act.",
    ),
    ForwardedRoute("GET", "/v1/mute-times", "List mute times", "Weekly windows in which nothing is told."),
    ForwardedRoute(
        "POST", "/v1/mute-times", "Mute every week", "What still holds is told after. Needs scope act."
    ),
    ForwardedRoute("DELETE", "/v1/mute-times/{id}", "End a mute time", "Tell as usual. Needs scope act."),
    ForwardedRoute("GET", "/v1/loss-reviews", "List loss reviews", "Accounts that were lost, newest first."),
    ForwardedRoute(
        "POST", "/v1/loss-reviews", "Open a loss review", "Of an account that was lost. Needs scope act."
    ),
    ForwardedRoute(
        "GET",
        "/v1/loss-reviews/{id}",
        "Show a loss review",
        "What was seen when, and which rule should have fired.",
    ),
    ForwardedRoute(
        "POST",
        "/v1/loss-reviews/{id}",
        "Complete a loss review",
        "Cause and rules, as people see it. Needs scope act.",
    ),
    ForwardedRoute("GET", "/v1/rules", "List rules", "The rules that watch accounts."),
    ForwardedRoute("GET", "/v1/rules/{name}", "Show a rule", "Its condition, and what it stands for."),
    ForwardedRoute(
        "GET",
        "/v1/rules/{name}/record",
        "A rule's accuracy",
        "Caught, false and missed by name, with precision and recall where enough is known, the load and the money.",
    ),
    ForwardedRoute(
        "GET",
        "/v1/rules/{name}/record/months",
        "A rule's accuracy by month",
        "As it was published at the end of each month, beside what is known now.",
    ),
    ForwardedRoute(
        "GET", "/v1/accuracy", "List accuracies", "Of rules, bands of health and scores of risk, in words."
    ),
    ForwardedRoute(
        "GET", "/v1/accuracy/{kind}/{name}", "One accuracy", "Of a rule, a band of health or a score of risk."
    ),
    ForwardedRoute(
        "GET",
        "/v1/accuracy/{kind}/{name}/months",
        "One accuracy by month",
        "As it was published at the end of each month, beside what is known now.",
    ),
    ForwardedRoute(
        "POST",
        "/v1/rules/budget",
        "Weigh rules against alert budgets",
        "How many cases a week they would open for each who looks after accounts. Nobody is told.",
    ),
    ForwardedRoute(
        "POST",
        "/v1/rules/{name}/backtest",
        "Replay a rule",
        "What it would have said of the past, day by day from what was known then, and how often it would have been right. Nobody is told.",
    ),
    ForwardedRoute("GET", "/v1/receivers", "List receivers", "Where notices go."),
    ForwardedRoute(
        "POST", "/v1/receivers", "Add a receiver", "Its secret is shown this once. Needs scope admin."
    ),
    ForwardedRoute("GET", "/v1/receivers/{name}", "Show a receiver", "With how its deliveries fare."),
    ForwardedRoute("DELETE", "/v1/receivers/{name}", "Remove a receiver", "Needs scope admin."),
    ForwardedRoute(
        "POST",
        "/v1/receivers/{name}/rotate",
        "Rotate a secret",
        "The old one signs beside it until the next. Needs scope admin.",
    ),
    ForwardedRoute(
        "POST",
        "/v1/receivers/{name}/enable",
        "Enable a receiver",
        "After it was disabled for failing. Needs scope admin.",
    ),
    ForwardedRoute(
        "POST", "/v1/receivers/{name}/test", "Test a receiver", "Send it a test notice. Needs scope act."
    ),
    ForwardedRoute("GET", "/v1/silences", "List silences", "What is not told, and until when."),
    ForwardedRoute(
        "DELETE", "/v1/silences/{id}", "End a silence", "Tell again from now on. Needs scope act."
    ),
    ForwardedRoute(
        "POST",
        "/v1/silences",
        "Silence",
        "Tell nothing about an account or rule for a while. Needs scope act.",
    ),
    ForwardedRoute(
        "GET", "/v1/notifications", "List notifications", "What was sent to whom, with every attempt."
    ),
    ForwardedRoute("GET", "/v1/notifications/{id}", "Show a notification", "Its text and every attempt."),
    ForwardedRoute(
        "POST", "/v1/notifications/{id}/resend", "Send it again", "With the same id. Needs scope act."
    ),
)
