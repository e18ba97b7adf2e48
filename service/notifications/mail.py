"""Announcements by e-mail (SMTP with STARTTLS, or TLS from the start)."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from node import NodeError, TlsSettings
from node.tls import client_context
from service.config.notifications import EmailConfig
from service.notifications.announcement import Announcement
from service.notifications.errors import NotReached, NotTaken

TIMEOUT_SECONDS = 20.0
_FOR_GOOD = range(500, 600)


class Mail:
    """Sends announcements through one mail server."""

    def __init__(self, settings: EmailConfig, node: str) -> None:
        self._settings = settings
        self._node = node

    def announce(self, announcement: Announcement) -> None:
        """Send one mail to all recipients.

        Raises
        ------
        NotReached
            The server cannot be reached, or asks to come again.
        NotTaken
            The server refuses for good.
        """
        try:
            with self._connect() as server:
                refused = server.send_message(self._message(announcement))
        except smtplib.SMTPRecipientsRefused as error:
            raise _failure([code for code, _ in error.recipients.values()]) from error
        except smtplib.SMTPResponseException as error:
            raise _failure([error.smtp_code]) from error
        except (OSError, smtplib.SMTPException, NodeError) as error:
            raise NotReached(f"mail server: {type(error).__name__}") from error
        if refused:
            raise NotTaken(f"the mail server refused {len(refused)} of the recipients")

    def check(self) -> None:
        """Log in and send nothing; raises `NotReached` if that is not possible."""
        try:
            with self._connect() as server:
                server.noop()
        except (OSError, smtplib.SMTPException, NodeError) as error:
            raise NotReached(f"mail server: {type(error).__name__}") from error

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=TIMEOUT_SECONDS, context=self._context()
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_SECONDS)
        try:
            if settings.security == "starttls":
                server.starttls(context=self._context())
            if settings.user:
                server.login(settings.user, settings.password)
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        return client_context(TlsSettings(ca=self._settings.ca))

    def _message(self, announcement: Announcement) -> EmailMessage:
        domain = self._settings.sender.partition("@")[2].rstrip("> ") or "spinenode"
        message = EmailMessage()
        message["Subject"] = f"{self._node}: {announcement.title}"
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.recipients)
        message["Date"] = formatdate(localtime=True)
        message["Message-ID"] = f"<{announcement.id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join(announcement.lines) + "\n")
        return message


def _failure(codes: list[int]) -> NotReached | NotTaken:
    """4yz asks to come again (RFC 5321 4.2.1); a server that hung up says so, too."""
    text = f"the mail server answered {', '.join(map(str, sorted(set(codes))))}"
    return NotTaken(text) if all(code in _FOR_GOOD for code in codes) else NotReached(text)
