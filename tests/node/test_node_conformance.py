"""docs/conformance.md says what the code does, line by line."""

from __future__ import annotations

import re
from pathlib import Path

from pynetdicom import AE

from node import CT_TRANSFER_SYNTAXES, RECEIVED_SOP_CLASSES, SENT_SOP_CLASSES, ListenerLimits
from node.commitment import STORAGE_COMMITMENT_PUSH_MODEL
from node.sop_classes import VERIFICATION, VERIFICATION_TRANSFER_SYNTAXES

STATEMENT = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def uids_of_table(heading):
    """Return (name, UID) of the first table below a heading, in order."""
    section = STATEMENT.split(heading, 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0]
    return re.findall(r"^\| (.+?) \| ([\d.]+) \|$", table, re.MULTILINE)


def test_received_sop_classes_are_those_of_the_code():
    claimed = {uid: name for name, uid in uids_of_table("#### SOP classes accepted")}
    assert claimed == {VERIFICATION: "Verification", **RECEIVED_SOP_CLASSES}


def test_transfer_syntaxes_are_those_of_the_code_in_the_same_order():
    claimed = [uid for _, uid in uids_of_table("#### Transfer syntaxes accepted")]
    assert claimed == [str(uid) for uid in CT_TRANSFER_SYNTAXES]


def test_sent_sop_classes_are_those_of_the_code():
    claimed = {uid: name for name, uid in uids_of_table("### 2.2 Sending")}
    assert claimed == SENT_SOP_CLASSES


def test_stated_limits_are_the_defaults():
    limits = ListenerLimits()
    assert f"| {limits.handshake_seconds:.0f} s together" in STATEMENT
    assert f"| {limits.idle_seconds:.0f} s, then A-ABORT" in STATEMENT
    assert f"| {limits.max_pdu_bytes} bytes |" in STATEMENT


def test_every_line_is_negotiated_and_nothing_else(start_node):
    """One association per transfer syntax proposes all claimed classes and all results."""
    node = start_node()
    classes = [uid for _, uid in uids_of_table("#### SOP classes accepted")]
    results = set(SENT_SOP_CLASSES) - set(RECEIVED_SOP_CLASSES)
    for _, syntax in uids_of_table("#### Transfer syntaxes accepted"):
        ae = AE()
        for sop_class in [*classes, *results]:
            ae.add_requested_context(sop_class, syntax)
        association = ae.associate("127.0.0.1", node.server.port, ae_title="SPINENODE")
        accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
        association.release()
        assert set(RECEIVED_SOP_CLASSES) <= accepted
        assert accepted <= set(classes)


def test_storage_commitment_is_negotiated_as_stated(start_node):
    ((name, uid),) = uids_of_table("### 2.3 Storage commitment")
    assert (name, uid) == ("Storage Commitment Push Model", STORAGE_COMMITMENT_PUSH_MODEL)
    ae = AE()
    for syntax in VERIFICATION_TRANSFER_SYNTAXES:
        ae.add_requested_context(uid, syntax)
    association = ae.associate("127.0.0.1", start_node().server.port, ae_title="SPINENODE")
    assert len(association.accepted_contexts) == len(VERIFICATION_TRANSFER_SYNTAXES)
    association.release()
