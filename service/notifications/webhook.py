"""Announcements as signed JSON.

The receiver computes HMAC-SHA256 over the header ``X-Spinenode-Timestamp``, a full stop and the
body, with the shared secret, compares it with ``X-Spinenode-Signature`` and refuses old timestamps.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from service.config.notifications import WebhookConfig
from service.notifications.announcement import Announcement
from service.notifications.post import Posted, post


class Webhook:
    """Posts announcements to one address."""

    def __init__(self, settings: WebhookConfig, node: str) -> None:
        self._settings = settings
        self._node = node

    def announce(self, announcement: Announcement) -> None:
        """Post one announcement; see `post` for the errors."""
        body = json.dumps(announcement.document(self._node), ensure_ascii=False).encode()
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Spinenode-Event": announcement.about,
            "X-Spinenode-Delivery": announcement.id,
            "X-Spinenode-Timestamp": timestamp,
            "X-Spinenode-Signature": "sha256=" + signature(self._settings.secret, timestamp, body),
        }
        post(Posted(self._settings.url, body, headers, self._settings.ca))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Hexadecimal HMAC-SHA256 of ``timestamp.body``."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
