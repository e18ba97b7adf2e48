"""Tables of the conformance statement, from the lists of the code and from the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from service.config import DestinationConfig, NodeConfig, PeerConfig, SourceConfig, TlsConfig

NONE = "None configured."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table without a final line break."""
    lines = [_line(head), "|" + "---|" * len(head), *map(_line, rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def uid_table(kind: str, names: Mapping[str, str]) -> str:
    """Return names beside their UIDs, in the order given."""
    return table((kind, "UID"), [(name, uid) for uid, name in names.items()])


def listener_table(node: NodeConfig) -> str:
    """Return how associations are accepted."""
    limits = node.limits
    per_peer = str(limits.max_associations_per_peer or "no limit of its own")
    return table(
        ("Property", "Value", "Key"),
        [
            ("AE title", node.ae_title, "`node.ae_title`"),
            ("Port", str(node.port), "`node.port`"),
            ("Associations at once", str(node.max_associations), "`node.max_associations`"),
            (
                "Associations at once of one peer",
                per_peer,
                "`node.limits.max_associations_per_peer`",
            ),
            (
                "Maximum PDU length received",
                f"{limits.max_pdu_kib * 1024} bytes",
                "`node.limits.max_pdu_kib`",
            ),
            (
                "Largest data set",
                f"{limits.max_instance_mib} MiB, then A-ABORT",
                "`node.limits.max_instance_mib`",
            ),
            (
                "Time for TLS handshake and A-ASSOCIATE-RQ",
                f"{limits.handshake_seconds:g} s together, then the connection is closed",
                "`node.limits.handshake_seconds`",
            ),
            (
                "Silence on an association",
                _after_silence(node),
                "`node.limits.idle_seconds`",
            ),
            ("Outstanding asynchronous operations", "1", ""),
        ],
    )


def _after_silence(node: NodeConfig) -> str:
    text = f"{node.limits.idle_seconds:g} s, then A-ABORT"
    if node.receive_path == "library":
        return f"{text}; inside a message perhaps without one"
    return text


def peers_table(peers: Sequence[PeerConfig]) -> str:
    """Return who may call."""
    if not peers:
        return "None configured: every calling AE title is accepted."
    rows = [(p.ae_title, p.host or "any", str(p.port or "-")) for p in peers]
    return table(("Calling AE title", "Host", "Port for commitment reports"), rows)


def destinations_table(destinations: Sequence[DestinationConfig]) -> str:
    """Return where results go."""
    rows = [
        (
            each.name,
            "STOW-RS" if each.dicomweb_url else f"C-STORE to {each.ae_title}",
            ", ".join(each.outputs),
            _yes(each.storage_commitment),
            _yes(each.tls.enabled),
        )
        for each in destinations
    ]
    head = ("Destination", "Service", "Results", "Storage commitment", "TLS")
    return table(head, rows) if rows else NONE


def sources_table(sources: Sequence[SourceConfig]) -> str:
    """Return which archives are asked and fetched from."""
    rows = [
        (
            each.name,
            "QIDO-RS and WADO-RS"
            if each.dicomweb_url
            else f"C-FIND and C-{each.retrieve.upper()} to {each.ae_title}",
        )
        for each in sources
    ]
    return table(("Source", "Service"), rows) if rows else NONE


def tls_table(tls: TlsConfig) -> str:
    """Return how the listener secures its connections."""
    certificates = "required" if tls.require_client_cert else "optional, verified if shown"
    return table(
        ("Property of the listener", "Value", "Key"),
        [
            ("TLS", "on" if tls.enabled else "off", "`node.tls.enabled`"),
            (
                "Client certificates",
                certificates if tls.enabled else "-",
                "`node.tls.require_client_cert`",
            ),
        ],
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
