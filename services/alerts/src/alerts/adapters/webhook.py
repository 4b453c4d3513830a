"""Signed webhooks as Standard Webhooks describes them."""

import binascii
from datetime import UTC, datetime

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from alerts.adapters.web import Misconfigured, Web, receipt_of
from alerts.ports.channel import Channel, Delivery, Receipt


class WebhookChannel(Channel):
    """The notice's body as it is, signed with each of the receiver's secrets."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def deliver(self, delivery: Delivery) -> Receipt:
        async def work() -> Receipt:
            receiver, headers = delivery.receiver, _signed_headers(delivery)
            answer = await self._web.post(
                receiver.target, headers, delivery.body.encode(), private=receiver.allow_private
            )
            return receipt_of(answer)

        return await self._web.within_time(work)

    async def prepare(self) -> None:
        await self._web.prepare()


def _signed_headers(delivery: Delivery) -> dict[str, str]:
    """Raises Misconfigured when a secret is none."""
    at = delivery.at.astimezone(UTC)
    try:
        signatures = [
            Webhook(secret).sign(delivery.id, at, delivery.body) for secret in delivery.receiver.secrets
        ]
    except (binascii.Error, EmptyWebhookSecretError, ValueError) as error:
        raise Misconfigured from error
    if not signatures:
        raise Misconfigured
    return {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(_whole_seconds(at)),
        "webhook-signature": " ".join(signatures),
    }


def _whole_seconds(at: datetime) -> int:
    return int(at.timestamp() // 1)
