"""TLS by PS3.15 B.12: 1.2 and 1.3, never less, and certificates of clients as configured."""

from __future__ import annotations

import socket
import ssl
import warnings

import pytest
from tls_files import openssl

from node import Destination, Permanent, Retryable, TlsSettings, echo


@pytest.fixture
def server_tls(tls_files):
    return TlsSettings(tls_files.server_cert, tls_files.server_key)


@pytest.fixture
def stranger(tmp_path):
    """A client certificate of an authority nobody here trusts."""
    files = ["-keyout", "s.key", "-out", "s.pem", "-days", "2", "-subj", "/CN=stranger"]
    openssl(tmp_path, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files)
    return tmp_path / "s.pem", tmp_path / "s.key"


def shake_hands(port, oldest, newest, ciphers="ALL:@SECLEVEL=0"):
    """Offer versions from `oldest` to `newest`; return the version and cipher agreed on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = oldest, newest
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        context.wrap_socket(connection) as secured,
    ):
        return secured.version(), secured.cipher()[0]


def destination(node, **tls):
    settings = TlsSettings(**tls)
    return Destination("n", "SPINENODE", "127.0.0.1", node.server.port, tls=settings)


V = ssl.TLSVersion


@pytest.mark.parametrize(
    ("oldest", "newest", "agreed"),
    [
        (V.TLSv1_2, V.TLSv1_2, "TLSv1.2"),
        (V.TLSv1_3, V.TLSv1_3, "TLSv1.3"),
        (V.TLSv1, V.TLSv1_3, "TLSv1.3"),
        (V.TLSv1, V.TLSv1_2, "TLSv1.2"),
    ],
)
def test_the_best_version_both_sides_have_is_taken(start_node, server_tls, oldest, newest, agreed):
    assert shake_hands(start_node(tls=server_tls).server.port, oldest, newest)[0] == agreed


@pytest.mark.parametrize("newest", [V.TLSv1, V.TLSv1_1])
def test_older_versions_are_refused_by_us_and_not_by_the_client(start_node, server_tls, newest):
    port = start_node(tls=server_tls).server.port
    with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"):
        shake_hands(port, V.TLSv1, newest)


@pytest.mark.parametrize(
    "weak", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA"]
)
def test_ciphers_without_authentication_of_their_own_are_refused(start_node, server_tls, weak):
    port = start_node(tls=server_tls).server.port
    strong = "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert shake_hands(port, V.TLSv1_2, V.TLSv1_2, f"{weak}:{strong}")[1] == strong
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        shake_hands(port, V.TLSv1_2, V.TLSv1_2, weak)


def test_plain_dicom_is_not_answered_where_tls_is_on(start_node, server_tls):
    node = start_node(tls=server_tls)
    with pytest.raises(Retryable):
        echo(node.destination)


def test_an_optional_client_certificate_may_be_absent_but_not_strange(
    start_node,
    tls_files,
    stranger,
):
    node = start_node(tls=TlsSettings(tls_files.server_cert, tls_files.server_key, tls_files.ca))
    echo(destination(node, ca=tls_files.ca))
    echo(destination(node, ca=tls_files.ca, cert=tls_files.client_cert, key=tls_files.client_key))
    with pytest.raises(Retryable):
        echo(destination(node, ca=tls_files.ca, cert=stranger[0], key=stranger[1]))


def test_a_required_client_certificate_must_be_there_and_trusted(
    start_node,
    tls_files,
    stranger,
):
    files = tls_files
    required = TlsSettings(files.server_cert, files.server_key, files.ca, require_client_cert=True)
    node = start_node(tls=required)
    echo(destination(node, ca=files.ca, cert=files.client_cert, key=files.client_key))
    with pytest.raises(Retryable):
        echo(destination(node, ca=files.ca))
    with pytest.raises(Retryable):
        echo(destination(node, ca=files.ca, cert=stranger[0], key=stranger[1]))


def test_requiring_certificates_without_an_authority_is_a_mistake(start_node, tls_files):
    unusable = TlsSettings(tls_files.server_cert, tls_files.server_key, require_client_cert=True)
    with pytest.raises(Permanent, match=r"tls\.ca"):
        start_node(tls=unusable)


def test_a_server_of_a_strange_authority_gets_nothing_from_us(start_node, server_tls, stranger):
    with pytest.raises((Retryable, Permanent)):
        echo(destination(start_node(tls=server_tls), ca=stranger[0]))
