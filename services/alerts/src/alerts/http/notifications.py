"""`/v1/notifications`: the delivery log."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from alerts.http import models
from alerts.http.doors import MAX_PAGE, Doors, before_of, cursor_of, storable
from common.auth.keys import Principal


def notifications_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/notifications", tags=["notifications"])
    book = doors.casebook

    @router.get("", response_model=models.NotificationPage)
    def list_notifications(
        caller: Annotated[Principal, Depends(doors.read)],
        status: Annotated[list[Literal["pending", "delivered", "failed"]] | None, Query()] = None,
        case: Annotated[str | None, Query(max_length=100)] = None,
        receiver: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Any:
        """Newest first."""
        wanted = {
            "status": list(status) if status else None,
            "case": storable(case),
            "receiver": storable(receiver),
            "before": before_of(cursor),
            "limit": limit,
        }
        found = book.notifications(caller.tenant_id, wanted)
        return {"data": found, "next_cursor": cursor_of(found, limit)}

    @router.get("/{notification_id}", response_model=models.NotificationDetail)
    def one_notification(caller: Annotated[Principal, Depends(doors.read)], notification_id: str) -> Any:
        """With its body and every attempt."""
        return book.notification(caller.tenant_id, storable(notification_id) or "")

    @router.post("/{notification_id}/resend", response_model=models.Queued, status_code=202)
    def resend(caller: Annotated[Principal, Depends(doors.act)], notification_id: str) -> Any:
        """Sends it again at once, under the same id, with a new schedule of retries."""
        book.resend(caller.tenant_id, storable(notification_id) or "", doors.clock.now())
        return {"id": notification_id}

    return router
