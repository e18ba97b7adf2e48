"""Telling people and systems of flagged fractures and of trouble; off unless configured."""

from service.notifications.channels import Channels
from service.notifications.notifier import Notifier
from service.notifications.trouble import TroubleWatch
from service.notifications.watched import final_trouble, lasting_trouble

__all__ = ["Channels", "Notifier", "TroubleWatch", "final_trouble", "lasting_trouble"]
