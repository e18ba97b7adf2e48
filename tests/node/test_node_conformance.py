"""docs/conformance.md says what the code does, line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pynetdicom import AE, build_role, evt
from typer.testing import CliRunner

from node import (
    CT_TRANSFER_SYNTAXES,
    RECEIVED_SOP_CLASSES,
    SENT_SOP_CLASSES,
    Destination,
    LoopbackArchive,
    Outcome,
    send_files,
)
from node.commitment import STORAGE_COMMITMENT_PUSH_MODEL
from node.query_find import CONTEXTS as FIND_CONTEXTS
from node.retrieve_get import get_contexts
from node.retrieve_move import CONTEXTS as MOVE_CONTEXTS
from node.sop_classes import VERIFICATION, VERIFICATION_TRANSFER_SYNTAXES
from service.cli import app
from service.config import Config, NodeConfig
from service.conformance import statement
from service.destinations import listener_settings

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
if not PAGE.is_file():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)
STATEMENT = PAGE.read_text(encoding="utf-8")
RECEIVED = "#### SOP classes accepted"
SYNTAXES = "#### Transfer syntaxes accepted for storage"
COMMAND_SYNTAXES = "#### Transfer syntaxes accepted for verification"
SENT = "#### SOP classes proposed"
COMMITMENT = "### 5.3 Storage commitment"
QUERY = "### 5.4 Query/Retrieve"
# PS3.2 Annex N, in its order.
CHAPTERS = [
    "Conformance statement overview",
    "Table of contents",
    "Introduction",
    "Implementation model",
    "Service and interoperability description",
    "Configuration",
    "Network communication details",
    "Security",
    "Annexes",
]


def uids_of_table(heading):
    """Return (name, UID) of the first table below a heading, in order."""
    section = STATEMENT.split(heading, 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0]
    return re.findall(r"^\| (.+?) \| ([\d.]+) \|$", table, re.MULTILINE)


def uids(heading):
    return [uid for _, uid in uids_of_table(heading)]


def associate(node, contexts, called="SPINENODE"):
    """Propose (abstract syntax, transfer syntax) pairs; return the accepted ones."""
    ae = AE()
    for abstract, syntax in contexts:
        ae.add_requested_context(abstract, syntax)
    association = ae.associate("127.0.0.1", node.server.port, ae_title=called)
    contexts = association.accepted_contexts
    association.release()
    return {(str(each.abstract_syntax), str(each.transfer_syntax[0])) for each in contexts}


def test_the_page_is_that_of_the_defaults():
    assert statement(Config()) == STATEMENT, "run: python docs/generate_conformance.py"


def test_the_chapters_are_those_of_annex_n():
    assert re.findall(r"^## \d (.+)$", STATEMENT, re.MULTILINE) == CHAPTERS


def test_tables_are_those_of_the_code():
    assert dict(map(reversed, uids_of_table(RECEIVED))) == {
        VERIFICATION: "Verification",
        **RECEIVED_SOP_CLASSES,
    }
    assert dict(map(reversed, uids_of_table(SENT))) == SENT_SOP_CLASSES
    assert uids(SYNTAXES) == [str(uid) for uid in CT_TRANSFER_SYNTAXES]
    assert uids(COMMAND_SYNTAXES) == [str(uid) for uid in VERIFICATION_TRANSFER_SYNTAXES]
    assert uids(COMMITMENT) == [STORAGE_COMMITMENT_PUSH_MODEL]


def test_every_class_is_negotiated_in_every_syntax_and_nothing_else(start_node):
    """One presentation context per line and syntax; our own results are proposed beside them."""
    node = start_node()
    storage = [uid for uid in uids(RECEIVED) if uid != VERIFICATION]
    results = set(SENT_SOP_CLASSES) - set(RECEIVED_SOP_CLASSES)
    for syntax in uids(SYNTAXES):
        claimed = {(sop_class, syntax) for sop_class in storage}
        accepted = associate(node, [*claimed, *((result, syntax) for result in results)])
        assert accepted == claimed


@pytest.mark.parametrize("heading", [RECEIVED, COMMITMENT], ids=["verification", "commitment"])
def test_commands_are_negotiated_in_each_of_their_syntaxes(start_node, heading):
    claimed = {(uids(heading)[0], syntax) for syntax in uids(COMMAND_SYNTAXES)}
    node = start_node()
    assert associate(node, claimed) == claimed
    other = [(uids(heading)[0], "1.2.840.10008.1.2.2"), (VERIFICATION, "1.2.840.10008.1.2")]
    assert (uids(heading)[0], "1.2.840.10008.1.2.2") not in associate(node, other)


def test_every_class_of_the_results_is_proposed_and_sent(tmp_path, write_series):
    paths = [
        path
        for number, sop_class in enumerate(uids(SENT))
        for path in write_series(tmp_path / str(number), 1, sop_class_uid=sop_class)
    ]
    with LoopbackArchive(tmp_path / "archive") as archive:
        destination = Destination("archive", "ARCHIVE", "127.0.0.1", archive.port)
        results = send_files(paths, destination)
    assert [each.outcome for each in results] == [Outcome.SENT] * len(uids(SENT))


def test_queries_and_retrievals_propose_what_is_stated():
    """An archive of another make accepts each of the contexts, with the SCP role for C-GET."""
    proposed = [*FIND_CONTEXTS, *MOVE_CONTEXTS, *get_contexts()]
    assert uids(QUERY) == [abstract for abstract, _ in proposed if abstract in uids(QUERY)]
    storage = {(str(c), str(s)) for c, (s, *_) in proposed if c in RECEIVED_SOP_CLASSES}
    assert storage == {(c, s) for c in RECEIVED_SOP_CLASSES for s in uids(SYNTAXES)}
    archive = AE(ae_title="ARCHIVE")
    for abstract, syntaxes in proposed:
        archive.add_supported_context(abstract, syntaxes, scu_role=True, scp_role=True)
    server = archive.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, int)]
    )
    try:
        ae = AE()
        for abstract, syntaxes in proposed:
            ae.add_requested_context(abstract, syntaxes)
        roles = [build_role(sop_class, scp_role=True) for sop_class in RECEIVED_SOP_CLASSES]
        association = ae.associate("127.0.0.1", server.server_address[1], ext_neg=roles)
        accepted = association.accepted_contexts
        association.release()
    finally:
        server.shutdown()
    assert set(uids(QUERY)) <= {str(context.abstract_syntax) for context in accepted}
    assert all(c.as_scp for c in accepted if str(c.abstract_syntax) in RECEIVED_SOP_CLASSES)


def test_the_statement_follows_the_configuration(start_node):
    """What it says of a changed listener is what this listener then does."""
    node_config = NodeConfig(
        ae_title="SPINE2",
        peers=({"ae_title": "CT1", "host": "127.0.0.1"},),
        limits={"max_pdu_kib": 32, "idle_seconds": 7},
    )
    config = Config(node=node_config)
    text = statement(config)
    assert "| AE title | SPINE2 | `node.ae_title` |" in text
    assert "| CT1 | 127.0.0.1 | - |" in text
    assert "| Silence on an association | 7 s, then A-ABORT |" in text
    length = int(re.search(r"\| Maximum PDU length received \| (\d+) bytes", text)[1])
    settings = listener_settings(config)
    node = start_node(ae_title=settings.ae_title, peers=settings.peers, limits=settings.limits)
    ae = AE(ae_title="CT1")
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", node.server.port, ae_title="SPINE2")
    assert association.acceptor.maximum_length == length
    association.release()


def test_the_command_prints_the_statement_of_a_configuration(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("node: {ae_title: SPINE3, port: 4242}\n")
    result = CliRunner().invoke(app, ["conformance", "--config", str(file)])
    assert result.exit_code == 0
    assert "| AE title | SPINE3 |" in result.stdout
    assert "| Port | 4242 |" in result.stdout
