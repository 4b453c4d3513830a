"""Notices by e-mail, as text and HTML."""

import asyncio
from dataclasses import dataclass
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from alerts.adapters.letter import letter_of
from alerts.domain.retries import Outcome
from alerts.ports.channel import Channel, Delivery, Receipt

TIMEOUT_SECONDS = 15.0
# Enhanced status codes (RFC 3463, 7505) that say that the mailbox is no more: bad mailbox, moved, no such recipient or domain, disabled.
_GONE = frozenset({"5.1.1", "5.1.6", "5.1.10", "5.2.1"})


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `security` is one of none, starttls, tls."""

    host: str
    port: int
    security: str
    username: str | None
    password: str | None
    sender: str

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


class EmailChannel(Channel):
    """One SMTP session per notice. The Message-ID is the notice's id, the same in every attempt, so that mailboxes can tell a repeat."""

    def __init__(self, server: MailServer | None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._server = server
        self._timeout_seconds = timeout_seconds

    async def prepare(self) -> None:
        """Nothing is left to do: the client is loaded whole with this module."""

    async def deliver(self, delivery: Delivery) -> Receipt:
        if self._server is None:
            return Receipt(Outcome.REFUSED, "mail-not-configured")
        try:
            message = message_of(delivery, self._server.sender)
        except (ValueError, IndexError):
            # The standard library's address parser knows both ways to say that this is none.
            return Receipt(Outcome.REFUSED, "receiver-misconfigured")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._send(message, self._server)
        except TimeoutError:
            return Receipt(Outcome.RETRY, "timed-out")
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[0].code, error.recipients[0].message)
        except aiosmtplib.SMTPAuthenticationError:
            return Receipt(Outcome.RETRY, "login-refused")
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPHeloError, ConnectionRefusedError):
            # Whatever its greeting says, it is said to this machine: of the notice the server knows nothing yet.
            return Receipt(Outcome.RETRY, "not-connected")
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError):
            return Receipt(Outcome.RETRY, "connection-broken")
        return Receipt(Outcome.DELIVERED, "delivered", 250)

    async def _send(self, message: EmailMessage, server: MailServer) -> None:
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=self._timeout_seconds,
        )
        try:
            await client.connect()
            await client.send_message(message)
        finally:
            # Without QUIT: the letter is taken, and a server that is slow to say goodbye must not turn that into a failure.
            client.close()


def message_of(delivery: Delivery, sender: str) -> EmailMessage:
    """Raises ValueError or IndexError for an address that is none, so that nothing can be smuggled into the headers."""
    letter = letter_of(delivery.type, delivery.body)
    to = MailAddress(addr_spec=delivery.receiver.target)
    message = EmailMessage()
    message["Subject"] = " ".join(letter.subject.split())
    message["From"] = MailAddress("Bellwether", addr_spec=sender)
    message["To"] = to
    message["Date"] = format_datetime(delivery.created_at)
    message["Message-ID"] = f"<{delivery.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def _refused(code: int, text: str) -> Receipt:
    if code < 400:
        # Not an answer of a mail server's; the client gives -1 for what it cannot read.
        return Receipt(Outcome.RETRY, "connection-broken")
    if code < 500:
        return Receipt(
            Outcome.RETRY, "slow-down" if code in (421, 450, 451, 452) else "receiver-failed", code
        )
    if not _GONE.isdisjoint(text.split(maxsplit=1)[:1]):
        return Receipt(Outcome.GONE, "receiver-gone", code)
    return Receipt(Outcome.REFUSED, "receiver-refused", code)
