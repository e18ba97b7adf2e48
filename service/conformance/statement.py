"""Fills the text of the conformance statement with what code and configuration say."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from string import Template

from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION

from node import CT_TRANSFER_SYNTAXES, RECEIVED_SOP_CLASSES, SENT_SOP_CLASSES
from node.commitment import STORAGE_COMMITMENT_PUSH_MODEL
from node.query_find import STUDY_ROOT_FIND
from node.retrieve_get import STUDY_ROOT_GET
from node.retrieve_move import STUDY_ROOT_MOVE
from node.sop_classes import VERIFICATION, VERIFICATION_TRANSFER_SYNTAXES
from service.config import Config
from service.conformance.tables import (
    destinations_table,
    listener_table,
    peers_table,
    sources_table,
    table,
    tls_table,
    uid_table,
)

TEXT = Path(__file__).with_name("statement.md")
QUERY_RETRIEVE = {
    STUDY_ROOT_FIND: "Study Root Query/Retrieve Information Model - FIND",
    STUDY_ROOT_MOVE: "Study Root Query/Retrieve Information Model - MOVE",
    STUDY_ROOT_GET: "Study Root Query/Retrieve Information Model - GET",
}


def statement(config: Config) -> str:
    """Return the statement in Markdown, for the software as installed and as configured.

    Raises
    ------
    KeyError
        The text names something that is not known here.
    """
    text = Template(TEXT.read_text(encoding="utf-8"))
    return text.substitute(_tables(), **_configured(config), **_identity())


def _tables() -> dict[str, str]:
    """What the code says whatever the configuration."""
    accepted = {VERIFICATION: "Verification", **RECEIVED_SOP_CLASSES}
    return {
        "received_sop_classes": uid_table("SOP class", accepted),
        "sent_sop_classes": uid_table("SOP class", SENT_SOP_CLASSES),
        "query_retrieve_sop_classes": uid_table("SOP class", QUERY_RETRIEVE),
        "commitment_sop_class": uid_table(
            "SOP class", {STORAGE_COMMITMENT_PUSH_MODEL: "Storage Commitment Push Model"}
        ),
        "storage_syntaxes": uid_table(
            "Transfer syntax", {str(uid): uid.name for uid in CT_TRANSFER_SYNTAXES}
        ),
        "command_syntaxes": uid_table(
            "Transfer syntax", {str(uid): uid.name for uid in VERIFICATION_TRANSFER_SYNTAXES}
        ),
    }


def _configured(config: Config) -> dict[str, str]:
    return {
        "ae_title": config.node.ae_title,
        "listener": listener_table(config.node),
        "peers": peers_table(config.node.peers),
        "destinations": destinations_table(config.destinations),
        "sources": sources_table(config.sources),
        "tls": tls_table(config.node.tls),
    }


def _identity() -> dict[str, str]:
    rows = [
        ("Implementation Class UID (0002,0012)", str(PYNETDICOM_IMPLEMENTATION_UID)),
        ("Implementation Version Name (0002,0013)", PYNETDICOM_IMPLEMENTATION_VERSION),
    ]
    return {
        "version": version("spinenode"),
        "implementation": table(("Implementation identifying information", "Value"), rows),
    }
