"""TLS contexts by the BCP 195 secure transport connection profile (PS3.15 B.12)."""

from __future__ import annotations

import ssl

from node.errors import Permanent
from node.settings import TlsSettings

# Forward secrecy and authenticated encryption (RFC 9325 Section 4.2); TLS 1.3 has nothing else.
TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context of the listener.

    Raises
    ------
    Permanent
        Certificate, key or trusted certificates are missing or unreadable.
    """
    if settings.cert is None:
        raise Permanent("tls needs a certificate (node.tls.cert)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if settings.require_client_cert:
        if settings.ca is None:
            raise Permanent("tls.require_client_cert needs tls.ca")
        context.verify_mode = ssl.CERT_REQUIRED
    elif settings.ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
    return _loaded(context, settings)


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context for sending; the peer's certificate and host name are verified.

    Raises
    ------
    Permanent
        Certificate, key or trusted certificates are missing or unreadable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.ca is None:
        context.load_default_certs()
    return _loaded(context, settings)


def _loaded(context: ssl.SSLContext, settings: TlsSettings) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS_1_2_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        if settings.cert is not None:
            context.load_cert_chain(settings.cert, settings.key)
        if settings.ca is not None:
            context.load_verify_locations(settings.ca)
    except (OSError, ssl.SSLError) as error:
        raise Permanent(f"tls files are unusable: {error}") from error
    return context
