"""The words of the API reference, kept apart from the code they describe."""

from typing import Any

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
    "`risk`: accounts with an open case first, graver ones before others, among equals the one open longest; then accounts whose active use fell most. `health`: the least healthy first. `renewal_risk`: the likeliest to be lost first. `mrr`, `renewal_at`, `notice_deadline`, "
    "`last_activity_at`, `name`: by that value. Accounts without one come last, and with them those that are closed, but for the orders by `mrr`, `last_activity_at` and `name` and for open cases."
)
_ALWAYS = {401: "No valid key", 403: "The key lacks the scope", 503: "Try again after Retry-After seconds"}
BAD, GONE = (
    {400: "The question can't be answered; `code` says why"},
    {404: "This tenant has nothing of that id"},
)
NO_CATALOGUE = {404: "No catalogue was applied yet"}
PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _problems(words: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": text, "content": PROBLEM_CONTENT}
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
    "past 12 months, null when nothing is known of them; `outdated`: why it says nothing of the metric as it is now) and what its `industry` reaches, with who said so, when and why. "
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
    "Saved filters over traits. A question names them in `segments`, or slices by `segment:NAME`, which is true, false, or null for what belongs to no account.",
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
    "derived figure is made of. A page may be short, even empty, and still go on: what one page looks at is bounded.",
    schemas.BehindPage,
    BAD | GONE,
)
ACCOUNTS = route(
    "List accounts",
    "Further filters by trait: `filter.plan=pro`, repeated for more values. Pages go on behind the value that the last one ended with: "
    "an account whose value moves between two requests may be told twice or not at all, but for `sort=name`, which never moves.",
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
| `accounts` | `{"accounts": [{"id", "name", "mrr", "last_activity_at", "figures", "held_by_case", "signals", "as_of"}], "as_of"}`: every account that changed, new ones too; when more than 500 changed at once, only those that have new figures by now (1,000 at most) bring them, and the others are named by `id` alone; `{"id", "gone": true}` is one of which nothing is left |
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
