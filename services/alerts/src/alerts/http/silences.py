"""`/v1/silences`: when not to be told. The case is kept and shown all the same."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from alerts.http import models
from alerts.http.doors import Doors, storable
from common.auth.keys import Principal
from common.errors import Rejected


def silences_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/silences", tags=["silences"])
    book = doors.casebook

    @router.get("", response_model=models.SilenceList)
    def list_silences(caller: Annotated[Principal, Depends(doors.read)], with_ended: bool = False) -> Any:
        return {"data": book.silences(caller.tenant_id, doors.clock.now(), with_ended=with_ended)}

    @router.post("", response_model=models.SilenceView, status_code=201)
    def make_silence(caller: Annotated[Principal, Depends(doors.act)], body: models.NewSilence) -> Any:
        now = doors.clock.now()
        starts_at = body.starts_at or now
        if body.ends_at <= max(starts_at, now):
            raise Rejected("time-passed", "`ends_at` must lie ahead, and after `starts_at`")
        silence = {
            "id": doors.new_id("sil"),
            "account": storable(body.account),
            "rule": storable(body.rule),
            "starts_at": starts_at,
            "ends_at": body.ends_at,
            "comment": storable(body.comment),
            "created_by": storable(body.by) or caller.name,
            "created_at": now,
        }
        book.add_silence(caller.tenant_id, silence)
        return silence

    @router.delete("/{silence_id}", status_code=204)
    def end_silence(caller: Annotated[Principal, Depends(doors.act)], silence_id: str) -> None:
        """Ends it now; what it held back is told, if it still holds."""
        book.end_silence(caller.tenant_id, storable(silence_id) or "", doors.clock.now())

    return router
