"""An SMTP server on loopback that takes mails, or answers as a test wants it to."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from hub.settings import settings


@dataclass
class Postman:
    """What the server answers at each step, and what it has taken."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    """By step (MAIL, RCPT, DATA) what it says next; `drop` hangs up. Then it takes everything."""
    taken: list[EmailMessage] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def handle_MAIL(self, server: SMTP, _s: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._answer("MAIL", server)

    async def handle_RCPT(
        self, server: SMTP, _s: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.asked.append(address)
        envelope.rcpt_tos.append(address)
        return self._answer("RCPT", server)

    async def handle_DATA(self, server: SMTP, _s: Session, envelope: Envelope) -> str:
        said = self._answer("DATA", server)
        if said.startswith("250") or said == "drop":
            content = cast("bytes", envelope.content)
            self.taken.append(cast("EmailMessage", message_from_bytes(content, policy=policy.default)))
        return said

    def _answer(self, step: str, server: SMTP) -> str:
        planned = self.answers.get(step)
        said = planned.pop(0) if planned else "250 OK"
        if said == "drop":
            assert server.transport is not None
            server.transport.abort()
        return said


@pytest.fixture
def postman(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postman]:
    made = Postman()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(made, hostname="127.0.0.1", port=port, server_hostname="localhost")
    server.start()
    values = {"HOST": "127.0.0.1", "PORT": str(port), "TLS": "none", "FROM": "pedidos@loja.example"}
    for name, value in values.items():
        monkeypatch.setenv(f"ESTEIRA_SMTP_{name}", value)
    settings.cache_clear()
    yield made
    server.stop()
