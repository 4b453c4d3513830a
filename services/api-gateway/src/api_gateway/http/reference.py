"""The words of the API reference, kept apart from the code they describe."""

from dataclasses import dataclass
from typing import Any

from fastapi import Response

from api_gateway.http import schemas

DESCRIPTION = """
Every figure about your customers, live.

**Keys.** Send `Authorization: Bearer KEY` with a key of scope `read`, `act` or `admin`. The tenant comes from the key: ids of other tenants do not exist for you.

**Freshness.** Figures carry `as_of`: every event that had arrived by then is in them. Nothing is given again after a change of the tenant's figures; while there is none, an answer
may be up to 15 seconds old in what time alone moves, and the header `Bellwether-As-Of` says until when all arrivals are in it, also on a 304.

**Unknown is not zero.** Unknown values are `null`; counts in empty buckets are `0`.

**Paging.** Lists carry `next_cursor`; give it back as `cursor` with the same question. A cursor of another question is answered 400.

**Caching.** Answers carry an `ETag`; with `If-None-Match` an unchanged answer is 304. The tag of figures is weak: it leaves `as_of` out, which moves while figures stand still.

**Problems.** Errors are RFC 9457 problem documents with a stable `code` and a `message` that says what to do.
"""

TAGS = [
    {"name": "Figures", "description": "The catalogue of metrics, and any figure of them."},
    {"name": "Accounts", "description": "Customers: what is known of each now, and what happened."},
    {"name": "Live", "description": "Server-sent events: what changes, as it changes."},
    {
        "name": "Cases and alerts",
        "description": "One open case per account; forwarded to the alerts service, whose words are in docs/reference/alerts.md.",
    },
    {
        "name": "Loading history",
        "description": "While history is being loaded nobody is warned because of it.",
    },
    {"name": "Imports", "description": "What was imported from files, and what each import found."},
    {"name": "Session", "description": "Sign-in of the dashboard: a key is exchanged for a cookie."},
]

SORT = (
    "`risk`: accounts with an open case first, graver ones before others, among equals the one open longest; then accounts whose active use fell most. `health`: the least healthy first. `mrr`, `renewal_at`, `notice_deadline`, "
    "`last_activity_at`, `name`: by that value. Accounts without one come last."
)
_ALWAYS = {401: "No valid key", 403: "The key lacks the scope", 503: "Try again after Retry-After seconds"}
BAD, GONE = (
    {400: "The question can't be answered; `code` says why"},
    {404: "This tenant has nothing of that id"},
)
NO_CATALOGUE = {404: "No catalogue was applied yet"}
_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _problems(words: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": text, "content": _PROBLEM_CONTENT}
        for status, text in (_ALWAYS | words).items()
    }


def route(
    summary: str, description: str, model: Any, problems: dict[int, str], status: int = 200
) -> dict[str, Any]:
    responses = {**_problems(problems), status: {"model": model}}
    return {"summary": summary, "description": description, "responses": responses, "response_model": None}


METRICS = route(
    "List the metrics",
    "The tenant's catalogue: label, unit, formula, owner, benchmarks of every metric. `definitions` is the version in force, `counting` "
    "the next one while it is being counted for the past, with the share that is done and the metrics that are new or changed in it.",
    schemas.MetricsPage,
    NO_CATALOGUE,
)
METRIC = route(
    "Show a metric",
    "One metric of the catalogue, with `targets` (from the definitions and imported ones; `stretch`: beyond every one of the "
    "past 12 months, null when nothing is known of them) and what its `industry` reaches, with who said so, when and why. "
    "`revised`: how many complete local days of its measures were revised after that, and their share.",
    schemas.Anything,
    GONE,
)
TREE = route(
    "Show the tree",
    "The mission, the goals with their KPIs, and the drivers: edges from a metric to the KPI it is believed to move, with owner, team, "
    "control and lag. Goals come in the order of a customer's life.",
    schemas.TreeAnswer,
    NO_CATALOGUE,
)
SEGMENTS = route(
    "List the segments",
    "Saved filters over traits. A question names them in `segments`, or slices by `segment:NAME`, which is true or false.",
    schemas.SegmentsAnswer,
    NO_CATALOGUE,
)
ENGAGEMENT_MODELS = route(
    "List the engagement models",
    "How closely accounts are looked after: contact interval, playbook, and how many new cases a week an owner can take up.",
    schemas.EngagementModelsAnswer,
    NO_CATALOGUE,
)
SCORECARD = route(
    "Show what is on the scorecard",
    "The KPIs of the monthly review in order, and the north star. Their values are figures: ask `/v1/query` for them.",
    schemas.ScorecardAnswer,
    NO_CATALOGUE,
)
_QUERY_WORDS = (
    "One row per metric, group and bucket; empty buckets are rows too. 1,000 rows a page unless `limit` says otherwise. "
    "`Accept: text/csv` answers a table, the cursor in the header `Bellwether-Next-Cursor`; text that a spreadsheet would take for a formula is escaped."
)
QUERY_POST = {
    **route(
        "Ask for figures",
        _QUERY_WORDS,
        schemas.FiguresPage,
        BAD | NO_CATALOGUE | {413: "The body is too large"},
    ),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/QueryBody"}}},
        }
    },
}
_PARAMETERS: tuple[tuple[str, bool, str, Any], ...] = (
    ("metrics", True, "Names, separated by commas", "events,active_users_28d"),
    ("from", True, "A date or an instant with offset", "2026-03-01"),
    ("to", True, "Exclusive", "2026-04-01"),
    ("grain", False, "hour, day, week, month, quarter, year or total", "day"),
    ("group_by", False, "Traits, separated by commas", "segment"),
    (
        "filter",
        False,
        'JSON such as {"plan": ["pro"]}; or `filter.plan=pro`, repeated for more values',
        '{"plan":["pro"]}',
    ),
    ("segments", False, "Names of segments, separated by commas: only accounts in all of them", "customers"),
    ("accounts", False, "An account's id; repeat it for more", "acme"),
    ("contributing", False, "`true`: only rows that have anything behind them", "true"),
    (
        "slice_at",
        False,
        "`end`: every account counts all along in the slice it is in at the range's end; `start` by default",
        "end",
    ),
    ("compare", False, "previous_period or previous_year", "previous_period"),
    (
        "definitions",
        False,
        "An earlier version of the definitions; the one in force by default",
        None,
    ),
    ("cursor", False, "`next_cursor` of the page before", None),
    ("limit", False, "Rows a page", "1000"),
)
QUERY_GET = {
    **route(
        "Ask for figures in an address",
        "The same as `POST /v1/query`. " + _QUERY_WORDS,
        schemas.FiguresPage,
        BAD | NO_CATALOGUE,
    ),
    "openapi_extra": {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": required,
                "description": text,
                "schema": {"type": "string"},
                **({"example": example} if example else {}),
            }
            for name, required, text, example in _PARAMETERS
        ]
    },
}

BEHIND = route(
    "List the events behind a figure",
    "The events of one account that count for a metric between `from` and `to`, newest first: what `behind` of a figure by account "
    "leads to. `counts_as` says as what: `value`, `numerator`, `denominator`, `start`, `end`, `movement`, or the metric that a "
    "combined figure is made of. A page may be short, even empty, and still go on: what one page looks at is bounded.",
    schemas.BehindPage,
    BAD | GONE,
)
ACCOUNTS = route(
    "List accounts",
    "Further filters by trait: `filter.plan=pro`, repeated for more values.",
    schemas.AccountsPage,
    BAD,
)
ACCOUNT = route(
    "Show an account",
    "Traits, figures, subscriptions, open case and last events.",
    schemas.AccountPage,
    GONE,
)
ACCOUNT_EVENTS = route(
    "List an account's events", "Accepted events, newest event time first.", schemas.EventsPage, BAD | GONE
)
TRAITS = route(
    "Show the history of an account's traits",
    "Every value that was said, from when, until when, and by which event; null cleared the trait.",
    schemas.TraitsPage,
    BAD | GONE,
)
TIMELINE = route(
    "Show an account's timeline",
    "Events and what happened to its cases, newest first.",
    schemas.Timeline,
    BAD | GONE,
)

_STREAM_WORDS = """
Server-sent events. Each has an `id`; give the last one back as `Last-Event-ID` and everything since is told again, as it is now.

| event | data |
| --- | --- |
| `ready` | `{"resumed": bool}`: live from here on |
| `accounts` | `{"accounts": [{"id", "name", "mrr", "last_activity_at", "figures", "as_of"}], "as_of"}`: every account that changed, new ones too; figures are left out when more than 500 changed at once |
| `metrics` | `{"metrics": [{"metric", "value", "bucket", "unit", "as_of", ...}]}`: the tenant's figures of the running day (month for movements), at most once a second |
| `alerts` | `{"alerts": [case]}`: cases that changed, as they are now |
| `reset` | `{"reason": "too-old" or "unknown", "message"}`: read the lists anew; live from here on |

A client that reads too slowly is dropped and resumes. A comment comes every 15 s.
"""
_STREAM_BODY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An endless stream",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
STREAM: dict[str, Any] = {
    "summary": "Listen to changes",
    "description": _STREAM_WORDS,
    "responses": {**_problems({400: "Unknown topics", 429: "Too many open streams"}), **_STREAM_BODY},
    "response_model": None,
}
EVENTS_RECENT = route(
    "List the last events",
    "The tenant's last events with their fate; forwarded to ingest.",
    schemas.Anything,
    {502: "Ingest answered something unusable"},
)
EVENTS_REJECTED = route(
    "List refused events",
    "Events that were refused, newest first, each with its reason; forwarded to ingest.",
    schemas.Anything,
    BAD | {502: "Ingest answered something unusable"},
)
EVENTS_LIVE: dict[str, Any] = {
    **STREAM,
    "summary": "Listen to events",
    "description": "Events with their fate, as they come in; forwarded to ingest.",
}

IMPORTS = route(
    "List imports",
    "Imports of accounts, exchange rates, targets and ranges of an industry, newest first, dry runs among them.",
    schemas.ImportsPage,
    BAD,
)
IMPORT = route(
    "Show the report of an import",
    "What was added, changed (old and new), missing in the file, refused (line and reason) or left as it is.",
    schemas.ImportReport,
    BAD | GONE,
)

LOAD_START = route(
    "Start a load",
    "Say that history is being loaded; send a heartbeat at least every 5 minutes.",
    schemas.Load,
    BAD,
    201,
)
LOAD_LIST = route("List loads", "The last 100, newest first.", schemas.LoadsPage, {})
LOAD_HEARTBEAT = route(
    "Keep a load open",
    "Without one for 5 minutes the load counts as ended.",
    schemas.Load,
    GONE | {409: "The load has ended"},
)
LOAD_END = route(
    "End a load",
    "Ending it again changes nothing. Standing conditions are told once, as one summary, when all of it is applied.",
    schemas.Load,
    GONE,
)

SIGN_IN = route("Sign in", "Exchange a key for an HttpOnly cookie.", schemas.SessionAnswer, BAD)
SESSION = route(
    "Who is signed in", "The tenant and scope behind the key or cookie.", schemas.SessionAnswer, {}
)
SIGN_OUT: dict[str, Any] = {
    "summary": "Sign out",
    "description": "End the session of the cookie.",
    "responses": {204: {"description": "Signed out"}},
    "response_model": None,
}


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
                413: {"description": "The form is too large", "content": _PROBLEM_CONTENT},
                502: {
                    "description": "The alerts service answered something unusable",
                    "content": _PROBLEM_CONTENT,
                },
                503: {"description": "Try again after Retry-After seconds", "content": _PROBLEM_CONTENT},
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
    ForwardedRoute("GET", "/v1/alerts", "List cases", "Cases, newest first."),
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
