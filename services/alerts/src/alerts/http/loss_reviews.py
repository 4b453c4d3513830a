"""`/v1/loss-reviews`: accounts that were lost, and what could have been known."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from alerts.http.doors import MAX_PAGE, Doors, before_of, cursor_of, storable
from alerts.http.models import ActedBy, Comment, ShortText
from alerts.http.on_call_models import Instant
from alerts.ports.reviews import Loss
from alerts.use_cases.losses import Reviewing
from common.auth.keys import Principal
from common.errors import Conflict, NotFound, Rejected

Status = Literal["open", "completed", "returned"]
RuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class NewReview(ActedBy):
    account: str = Field(min_length=1, max_length=1_000)
    lost_at: Instant | None = Field(default=None, description="not ahead; now when absent")


class CompleteReview(ActedBy):
    cause: ShortText = Field(description="why it was lost, in people's words")
    should_have_fired: tuple[RuleName, ...] = Field(
        default=(), max_length=50, description="rules that should have warned; empty: none could have"
    )
    comment: Comment | None = None


class MissedView(BaseModel):
    rule: str
    why: str


class SeenView(BaseModel):
    """One episode of a rule on the account."""

    rule: str
    label: str
    state: str
    reason: str
    since: dt.datetime
    fired_at: dt.datetime | None
    ended_at: dt.datetime | None
    evidence: str


class ProposalView(BaseModel):
    """What history tells by itself, as it was when the review opened."""

    cause: str
    cause_from: Literal["cancellation", "contract"]
    act_by: dt.datetime = Field(description="the last day to act: the notice deadline, else the loss")
    first_warning_at: dt.datetime | None
    days_before: int | None = Field(description="from the first warning to the last day to act")
    warned_in_time: list[str]
    should_have_fired: list[MissedView]
    no_data: list[str] = Field(description="rules that could not be asked of its last figures")
    seen: list[SeenView]


class ReviewView(BaseModel):
    id: str
    account: str
    account_name: str | None
    case_id: str | None
    status: Status = Field(description="`returned`: the account pays again, so it was not lost")
    lost_at: dt.datetime
    opened_at: dt.datetime
    opened_by: str
    mrr: Decimal | None = Field(description="a month, just before")
    owner: str | None
    proposal: ProposalView
    cause: str | None
    should_have_fired: list[str] | None
    comment: str | None
    completed_at: dt.datetime | None
    completed_by: str | None


class ReviewPage(BaseModel):
    data: list[ReviewView]
    next_cursor: str | None


def loss_reviews_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/loss-reviews", tags=["loss reviews"])

    @router.get("", response_model=ReviewPage)
    def list_reviews(
        caller: Annotated[Principal, Depends(doors.read)],
        status: Annotated[list[Status] | None, Query()] = None,
        account: Annotated[str | None, Query(max_length=1_000)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Any:
        """Newest first."""
        before = before_of(cursor)
        with doors.ledger() as ledger:
            found = ledger.reviews(caller.tenant_id, status, storable(account), before, limit)
        shown = [dict(one) for one in found]
        return {"data": shown, "next_cursor": cursor_of(shown, limit)}

    @router.get("/{review_id}", response_model=ReviewView)
    def one_review(caller: Annotated[Principal, Depends(doors.read)], review_id: str) -> Any:
        return _shown(doors, caller, review_id)

    _add_work(router, doors)
    return router


def _add_work(router: APIRouter, doors: Doors) -> None:
    reviewing = Reviewing(doors.new_id)

    @router.post("", response_model=ReviewView, status_code=201)
    def open_review(caller: Annotated[Principal, Depends(doors.act)], body: NewReview) -> Any:
        """Of a loss that shows in no revenue, or not yet; one that does opens by itself."""
        now, account = doors.clock.now(), storable(body.account) or ""
        with doors.ledger() as ledger, ledger.transaction():
            if body.lost_at is not None and body.lost_at > now:
                raise Rejected("time-ahead", "`lost_at` lies ahead; a loss is looked back on")
            account_id = ledger.account_id_of(caller.tenant_id, account)
            definitions = ledger.definitions(caller.tenant_id)
            if account_id is None or definitions is None:
                raise NotFound("account-unknown", f"there is no account {account[:80]!r}")
            loss = Loss(caller.tenant_id, account_id, body.lost_at or now, None)
            opened_by = storable(body.by) or caller.name
            review_id = reviewing.open(ledger, loss, definitions, opened_by, now)
        if review_id is None:
            raise Conflict("review-open", "the account has a loss review that is open; complete that one")
        return _shown(doors, caller, review_id)

    @router.post("/{review_id}", response_model=ReviewView)
    def complete(
        caller: Annotated[Principal, Depends(doors.act)], review_id: str, body: CompleteReview
    ) -> Any:
        """What people make of it; again, to correct it. The proposal stays as it was."""
        now, by = doors.clock.now(), storable(body.by) or caller.name
        with doors.ledger() as ledger, ledger.transaction():
            review = ledger.lock_review(caller.tenant_id, storable(review_id) or "")
            if review is None:
                raise _unknown(review_id)
            completed = replace(
                review,
                status="completed",
                cause=storable(body.cause),
                should_have_fired=body.should_have_fired,
                comment=storable(body.comment),
                completed_at=now,
                completed_by=by,
            )
            ledger.save_review(completed)
            detail = {
                "review": review.id,
                "cause": body.cause,
                "should_have_fired": list(body.should_have_fired),
            }
            ledger.record(None, caller.tenant_id, "loss-review-completed", by, now, detail)
        return _shown(doors, caller, review_id)


def _shown(doors: Doors, caller: Principal, review_id: str) -> dict[str, Any]:
    with doors.ledger() as ledger:
        found = ledger.review(caller.tenant_id, storable(review_id) or "")
    if found is None:
        raise _unknown(review_id)
    return dict(found)


def _unknown(review_id: str) -> NotFound:
    return NotFound(
        "review-unknown", f"there is no loss review {review_id[:80]!r}; GET /v1/loss-reviews lists them"
    )
