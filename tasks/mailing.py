"""E-mails to buyers, out by SMTP: one at a time, each noted before it leaves and after the server's answer.

Without `ESTEIRA_SMTP_HOST` nothing is sent: what waits is kept for three days, in case it is set, and then skipped.
"""

import asyncio
import contextlib
import smtplib
import ssl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from hub import mails, texts_mails
from hub.clock import to_sao_paulo, utcnow
from hub.db import Database
from hub.leases import lease
from hub.mails import Letter
from hub.settings import Settings, settings
from tasks.paths import opened
from tasks.work import run_logger

LEASE = "mailing"
TIMEOUT_S = 30.0
OK, FORWARDED = 250, 251
OURSELVES = "[127.0.0.1]"
"""What we say hello as: to find our own name out would be a look-up, which takes seconds on a machine without one."""
NO_ADDRESS = (MessageError, ValueError, IndexError)
"""What `Address` raises for a text that is none."""
REFUSED = 500
"""From here on an answer is a refusal for good; below it, one for now."""


@dataclass(frozen=True, slots=True)
class End:
    """How a sending ended: `sent`, `again`, `failed`, `unknown`; or `down`, where it is not this mail's matter."""

    state: str
    reason: str = ""


async def send_due(db: Database | None = None) -> Counter[str]:
    """Send the mails that are due, of all merchants; returns how many ended how. Never raises for what a mail server
    can do. Where somebody else is sending already, nothing is done.
    """
    hub_db = db or await opened()
    try:
        async with hub_db.read() as session:
            if not await mails.is_due(session):
                return Counter()
        return await _send_due(hub_db)
    finally:
        if db is None:
            await hub_db.close()


async def _send_due(db: Database) -> Counter[str]:
    ended: Counter[str] = Counter()
    async with lease(db, LEASE) as held:
        if held is None:
            return ended
        async with db.write() as session:
            await held.confirm(session)
            ended.update(await mails.sweep(session))
        config = settings()
        while _is_on(config):
            async with db.write() as session:
                await held.confirm(session)
                letter = await mails.claim(session)
            if letter is None:
                break
            end = await asyncio.to_thread(send, letter, config)
            await _write(db, letter, end)
            ended[end.state] += 1
            if end.state == "down":
                run_logger().error("the mail server of ESTEIRA_SMTP_HOST cannot be used: %s", end.reason)
    if ended:
        run_logger().info("e-mails: %s", ", ".join(f"{count} {state}" for state, count in sorted(ended.items())))
    return ended


async def _write(db: Database, letter: Letter, end: End) -> None:
    async with db.write() as session:
        if end.state == "sent":
            await mails.sent(session, letter.id)
        elif end.state == "again":
            await mails.again(session, letter, end.reason)
        elif end.state == "down":
            await mails.again(session, letter, end.reason)
            await mails.all_again(session, letter, end.reason)
        else:
            await mails.give_up(session, letter.id, end.state, end.reason)


def _is_on(config: Settings) -> bool:
    """Whether mails can go out: there is a server, and an address that they come from."""
    if not config.smtp_host:
        return False
    try:
        Address(addr_spec=_sender(config))
    except NO_ADDRESS:
        run_logger().error("no e-mail is sent: ESTEIRA_SMTP_FROM (or ESTEIRA_SMTP_USER) must be an address")
        return False
    return True


def _sender(config: Settings) -> str:
    return config.smtp_from or config.smtp_user


def send(letter: Letter, config: Settings) -> End:
    """Send one mail and wait for the server's answer. What the server says is not kept: it may quote the address."""
    try:
        message = written(letter, config)
    except NO_ADDRESS:
        return End("failed", "the address is none that can be written to")
    try:
        server = _open(config)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return End("down", _said("connect", error))
    with _closed(server):
        return _hand_over(server, message)


def written(letter: Letter, config: Settings) -> EmailMessage:
    """The mail as it goes out, from the shop and not from us. Raises one of NO_ADDRESS."""
    sender = _sender(config)
    letter.address.encode("ascii")  # others take a server that speaks SMTPUTF8, which few do
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(_line(letter.store), addr_spec=sender)
    message["To"] = Address(_line(letter.name), addr_spec=letter.address.strip())
    message["Subject"] = _line(texts_mails.subject(letter))
    message["Date"] = format_datetime(to_sao_paulo(utcnow()))
    message["Message-ID"] = f"<{letter.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(texts_mails.body(letter))
    return message


def _open(config: Settings) -> smtplib.SMTP:
    """A session that is signed in. Raises smtplib.SMTPException, OSError."""
    safe = ssl.create_default_context()
    server: smtplib.SMTP
    if config.smtp_tls == "tls":
        server = smtplib.SMTP_SSL(config.smtp_host, config.smtp_port, OURSELVES, timeout=TIMEOUT_S, context=safe)
    else:
        server = smtplib.SMTP(config.smtp_host, config.smtp_port, OURSELVES, timeout=TIMEOUT_S)
    try:
        if config.smtp_tls == "starttls":
            server.starttls(context=safe)
        if config.smtp_user:
            server.login(config.smtp_user, config.smtp_password.get_secret_value())
        server.ehlo_or_helo_if_needed()
    except BaseException:
        server.close()
        raise
    return server


def _hand_over(server: smtplib.SMTP, message: EmailMessage) -> End:
    """Sender, recipient, text. Until the text has left, whatever goes wrong has sent nothing; after it, only the
    server's answer tells whether it took the mail.
    """
    try:
        code, _ = server.mail(message["From"].addresses[0].addr_spec)
        if code != OK:
            return End("down", f"MAIL: {code}")
        code, _ = server.rcpt(message["To"].addresses[0].addr_spec)
        if code not in (OK, FORWARDED):
            return _judged("RCPT", code)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return End("again", _said("before the text", error))
    try:
        code, _ = server.data(message.as_bytes())
    except smtplib.SMTPDataError as error:  # refused before the text was sent
        return _judged("DATA", error.smtp_code)
    except (smtplib.SMTPException, OSError) as error:
        return End("unknown", _said("the text", error))
    return End("sent") if code == OK else _judged("the text", code)


def _judged(step: str, code: int) -> End:
    return End("failed" if code >= REFUSED else "again", f"{step}: {code}")


def _said(step: str, error: Exception) -> str:
    code = getattr(error, "smtp_code", "")
    return f"{step}: {type(error).__name__} {code}".strip()


@contextlib.contextmanager
def _closed(server: smtplib.SMTP) -> Iterator[None]:
    """Say good-bye if the server still listens; the mail's end is known by then."""
    try:
        yield
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _line(text: str) -> str:
    """A text on one line: a break in a header would be another header."""
    return " ".join(text.split())
