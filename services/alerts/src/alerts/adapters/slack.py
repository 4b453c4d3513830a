"""Notices in Slack: by an incoming webhook, or by a bot, whose first message about a case is kept up to date as the case moves."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from alerts.adapters.slack_blocks import message_of
from alerts.adapters.web import Answer, Misconfigured, Web, receipt_of
from alerts.domain.brief import brief_of
from alerts.domain.retries import Outcome
from alerts.domain.targets import SLACK_URL
from alerts.ports.channel import Channel, Delivery, Receipt, Receiver

# Slack answers 200 and says here what went wrong. These end the receiver: no notice will ever be taken as things are.
_GONE = frozenset({"channel_not_found", "is_archived", "channel_is_archived", "not_in_channel", "no_service"})
_LOGIN = frozenset(
    {
        "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission", "missing_scope",
        "not_allowed_token_type", "restricted_action", "access_denied", "invalid_token", "action_prohibited",
    }
)  # fmt: skip
_SLOW = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_FAILED = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"}
)
_NO_SUCH_MESSAGE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
# Slack repeats the whole message in its answer, with ids of its own for every part.
_MAX_ECHO_BYTES = 512 * 1024
# What only changes the state of a case: where its message can be changed, nobody needs another one.
_QUIET = frozenset({"case.acknowledged", "case.resolved"})


class SlackChannel(Channel):
    """A receiver's secret is the address of an incoming webhook, or the token of a bot that posts to the receiver's channel."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def prepare(self) -> None:
        """Nothing is left to do: the webhooks' channel has loaded the client."""

    async def deliver(self, delivery: Delivery) -> Receipt:
        async def work() -> Receipt:
            secret = next(iter(delivery.receiver.secrets), "")
            if secret.startswith(("http://", "https://")):
                return await self._by_webhook(delivery, secret)
            if (
                not secret
                or not secret.isascii()
                or not secret.isprintable()
                or not delivery.receiver.channel
            ):
                raise Misconfigured
            return await self._by_bot(delivery, secret, delivery.receiver.channel)

        return await self._web.within_time(work)

    async def _by_webhook(self, delivery: Delivery, secret: str) -> Receipt:
        receiver = delivery.receiver
        message = message_of(brief_of(delivery.type, json.loads(delivery.body)), delivery.id)
        body = json.dumps(message).encode()
        answer = await self._web.post(_moved(secret, receiver), {}, body, private=receiver.allow_private)
        return _judged(answer, answer.body.decode("utf-8", "replace").strip())

    async def _by_bot(self, delivery: Delivery, token: str, channel: str) -> Receipt:
        """The first message is changed before anything else is said: changing it twice does no harm."""
        message = message_of(brief_of(delivery.type, json.loads(delivery.body)), delivery.id)
        earlier = _place(delivery.earlier)
        if earlier is not None:
            place, ts = earlier
            receipt, _ = await self._call(
                delivery, token, "chat.update", {**message, "channel": place, "ts": ts}
            )
            if receipt.outcome is Outcome.DELIVERED and delivery.type in _QUIET:
                return replace(receipt, reference=delivery.earlier)
            if receipt.outcome is not Outcome.DELIVERED and receipt.reason != "message-gone":
                return receipt
            if receipt.outcome is Outcome.DELIVERED:
                message = {**message, "thread_ts": ts, "reply_broadcast": True}
        receipt, said = await self._call(delivery, token, "chat.postMessage", {**message, "channel": channel})
        if receipt.outcome is not Outcome.DELIVERED or (earlier and "thread_ts" in message):
            return replace(receipt, reference=delivery.earlier)
        return replace(receipt, reference=_reference(said))

    async def _call(
        self, delivery: Delivery, token: str, method: str, message: dict[str, Any]
    ) -> tuple[Receipt, dict[str, Any]]:
        receiver = delivery.receiver
        answer = await self._web.post(
            f"{(receiver.target or SLACK_URL).rstrip('/')}/api/{method}",
            {"authorization": f"Bearer {token}", "content-type": "application/json; charset=utf-8"},
            json.dumps(message).encode(),
            private=receiver.allow_private,
            at_most=_MAX_ECHO_BYTES,
        )
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            said = {}
        if 200 <= answer.status < 300 and said.get("ok") is not True:
            return _of_error(str(said.get("error", "")), answer), said
        return _judged(answer, str(said.get("error", ""))), said


def _judged(answer: Answer, said: str) -> Receipt:
    """By Slack's own word where it says one, else by the status."""
    plain = receipt_of(answer)
    if plain.outcome is not Outcome.RETRY or not 400 <= answer.status < 500 or answer.status in (408, 429):
        return plain
    if said in _LOGIN or answer.status == 401:
        return Receipt(Outcome.GONE, "login-refused", answer.status)
    if said in _GONE:
        return Receipt(Outcome.GONE, "receiver-gone", answer.status)
    if answer.status in (400, 413):
        return Receipt(Outcome.REFUSED, "receiver-refused", answer.status)
    return plain


def _of_error(error: str, answer: Answer) -> Receipt:
    status, patience = answer.status, answer.retry_after
    if error in _SLOW:
        return Receipt(Outcome.RETRY, "slow-down", status, patience)
    if error in _GONE:
        return Receipt(Outcome.GONE, "receiver-gone", status)
    if error in _LOGIN:
        return Receipt(Outcome.GONE, "login-refused", status)
    if error in _NO_SUCH_MESSAGE:
        return Receipt(Outcome.REFUSED, "message-gone", status)
    if error in _FAILED or not error:
        # Without a word of Slack's it was somebody else who answered.
        return Receipt(Outcome.RETRY, "receiver-failed", status, patience)
    return Receipt(Outcome.REFUSED, "receiver-refused", status)


def _moved(address: str, receiver: Receiver) -> str:
    """The webhook's address, at the receiver's own base address where it has one."""
    if receiver.target in ("", SLACK_URL):
        return address
    base, own = urlsplit(receiver.target), urlsplit(address)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + own.path, own.query, ""))


def _reference(said: dict[str, Any]) -> str | None:
    channel, ts = said.get("channel"), said.get("ts")
    if not isinstance(channel, str) or not isinstance(ts, str) or len(channel) + len(ts) > 100:
        return None
    return f"{channel} {ts}"


def _place(reference: str | None) -> tuple[str, str] | None:
    channel, _, ts = (reference or "").partition(" ")
    return (channel, ts) if channel and ts else None
