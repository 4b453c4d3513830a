"""`/v1/receivers`: where notices go. A secret is shown once, when it is made."""

import base64
import binascii
import re
import secrets
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends

from alerts.domain.cases import NoticeType
from alerts.domain.notices import receiver_notice
from alerts.domain.targets import DEFAULT_URLS
from alerts.http import models
from alerts.http.doors import Doors, shown_target, storable
from alerts.http.targets import check_mail_address, check_web_address
from alerts.ports.casebook import Record
from alerts.ports.records import Notification
from common.auth.keys import Principal
from common.errors import Rejected


def receivers_router(doors: Doors) -> APIRouter:
    router = APIRouter(prefix="/v1/receivers", tags=["receivers"])
    book = doors.casebook

    @router.get("", response_model=models.ReceiverList)
    def list_receivers(caller: Annotated[Principal, Depends(doors.read)]) -> Any:
        return {"data": [_view(found) for found in book.receivers(caller.tenant_id)]}

    @router.get("/{name}", response_model=models.ReceiverView)
    def one_receiver(caller: Annotated[Principal, Depends(doors.read)], name: str) -> Any:
        return _view(book.receiver(caller.tenant_id, storable(name) or ""))

    @router.post("", response_model=models.NewReceiverView, status_code=201)
    def make_receiver(caller: Annotated[Principal, Depends(doors.act)], body: models.NewReceiver) -> Any:
        target = _target(body, doors)
        secret = _secret_of(body, doors)
        book.add_receiver(
            caller.tenant_id,
            {
                "name": body.name,
                "kind": body.kind,
                "target": target,
                "channel": storable(body.channel),
                "person": storable(body.person),
                "secrets": [secret] if secret else [],
                "events": list(body.events),
                "min_severity": body.min_severity,
                "allow_private": False,
                "created_at": doors.clock.now(),
            },
        )
        made = secret if body.kind == "webhook" else None
        return {**_view(book.receiver(caller.tenant_id, body.name)), "secret": made}

    @router.delete("/{name}", status_code=204)
    def delete_receiver(caller: Annotated[Principal, Depends(doors.act)], name: str) -> None:
        book.delete_receiver(caller.tenant_id, storable(name) or "")

    _add_care(router, doors)
    return router


def _add_care(router: APIRouter, doors: Doors) -> None:
    book = doors.casebook

    @router.post("/{name}/rotate", response_model=models.RotatedSecret)
    def rotate_secret(caller: Annotated[Principal, Depends(doors.act)], name: str) -> Any:
        """A new secret signs first, the one before beside it until the next rotation."""
        secret = _new_secret()
        if book.receiver(caller.tenant_id, storable(name) or "")["kind"] != "webhook":
            raise Rejected(
                "no-secret", "only a webhook's secret is made here; delete the receiver and make it anew"
            )
        book.rotate_secret(caller.tenant_id, name, secret)
        return {"name": name, "secret": secret}

    @router.post("/{name}/enable", response_model=models.ReceiverView)
    def enable_receiver(caller: Annotated[Principal, Depends(doors.act)], name: str) -> Any:
        """Puts a disabled receiver back to work."""
        book.enable_receiver(caller.tenant_id, storable(name) or "")
        return _view(book.receiver(caller.tenant_id, name))

    @router.post("/{name}/test", response_model=models.Queued, status_code=202)
    def test_receiver(caller: Annotated[Principal, Depends(doors.act)], name: str) -> Any:
        """Sends a notice of type receiver.test through the outbox, as any other."""
        receiver_id = book.receiver_id(caller.tenant_id, storable(name) or "")
        now, kind = doors.clock.now(), NoticeType.RECEIVER_TEST
        message = "This is a test. If you can read it, warnings will reach you here."
        body = orjson.dumps(receiver_notice(kind, name, message, now)).decode()
        notice = Notification(doors.new_id("msg"), caller.tenant_id, receiver_id, None, kind, body, now)
        with doors.ledger() as ledger, ledger.transaction():
            ledger.add_notifications([notice])
        return {"id": notice.id}


def _view(found: Record) -> Record:
    return {**found, "target": shown_target(found["kind"], found["target"])}


def _target(body: models.NewReceiver, doors: Doors) -> str:
    if body.kind == "email":
        if not doors.mail_is_configured:
            raise Rejected(
                "mail-not-configured", "this installation sends no mail; its operator sets ALERTS_SMTP_HOST"
            )
        return check_mail_address(storable(body.to) or "")
    url = storable(body.url) or DEFAULT_URLS[body.kind]
    return check_web_address(url, allow_private=doors.allow_private_receivers)


def _secret_of(body: models.NewReceiver, doors: Doors) -> str | None:
    """What is kept of a receiver's secret; none for mail. Errors never repeat it."""
    given = storable(body.secret)
    if body.kind == "webhook":
        return _secret(given)
    if given is None:
        return None
    if given.startswith(("http://", "https://")) and body.kind == "slack":
        return check_web_address(given, allow_private=doors.allow_private_receivers, name="secret")
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,300}", given):
        raise Rejected(
            "secret-invalid", "this is neither a bot's token nor a routing key: letters, digits, - and _"
        )
    return given


def _secret(given: str | None) -> str:
    if given is None:
        return _new_secret()
    try:
        key = base64.b64decode(given.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not given.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise Rejected(
            "secret-invalid",
            "a secret is `whsec_` and base64 of 24 to 64 bytes; leave it out to have one made",
        )
    return given


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
