"""Settings of the node: frozen values, no reading of files or environment here."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from node.expectation import CountSource


@dataclass(frozen=True)
class TlsSettings:
    """TLS by the BCP 195 profile (PS3.15 B.12): TLS 1.2 and 1.3 only.

    Attributes
    ----------
    ca
        Certificates trusted to sign the other side's certificate; None: the system's.
    require_client_cert
        As a server: refuse clients without a certificate signed by `ca`.
    """

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    require_client_cert: bool = False


@dataclass(frozen=True)
class Peer:
    """A calling AE that may send to us, from `host` only if one is given.

    With `host` and `port`, storage commitment reports go there on an association of their own.
    """

    ae_title: str
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True)
class SeriesSettings:
    """When a series counts as completely received.

    Attributes
    ----------
    announced
        Who can be asked how many images a series has; None: nobody.
    """

    quiet_seconds: float = 15.0
    max_wait_seconds: float = 900.0
    announced: CountSource | None = None


@dataclass(frozen=True)
class ListenerLimits:
    """Bounds that keep one bad or slow peer from harming the others.

    Attributes
    ----------
    handshake_seconds
        For the TLS handshake and the whole A-ASSOCIATE-RQ together.
    idle_seconds
        Silence after which an association is aborted.
    max_connecting
        Connections that may be shaking hands at once; further ones are closed at once.
    max_associations_per_peer
        Open associations of one calling AE title from one host; 0 means no own limit.
    max_pdu_bytes
        Largest PDU we accept, also announced to the peer (PS3.8 D.1).
    max_instance_bytes
        Largest data set of one C-STORE; the association is aborted beyond it.
    """

    handshake_seconds: float = 5.0
    idle_seconds: float = 60.0
    max_connecting: int = 256
    max_associations_per_peer: int = 0
    max_pdu_bytes: int = 131_072
    max_instance_bytes: int = 2**31


class ReceivePath(StrEnum):
    """How data sets come in: past the library straight to the file, or through the library."""

    STREAMED = "streamed"
    LIBRARY = "library"


@dataclass(frozen=True)
class ListenerSettings:
    """Where and to whom the node listens. An empty `peers` allows any calling AE.

    `receive_path` falls back to ``library`` by itself if the installed pynetdicom is not the
    version that the streamed path was written for.
    """

    ae_title: str = "SPINENODE"
    host: str = "0.0.0.0"
    port: int = 11112
    peers: tuple[Peer, ...] = ()
    max_associations: int = 20
    tls: TlsSettings | None = None
    limits: ListenerLimits = field(default_factory=ListenerLimits)
    receive_path: ReceivePath = ReceivePath.STREAMED


@dataclass(frozen=True)
class SpoolSettings:
    """The durable store. Below `min_free_gib` new instances are answered 0xA700."""

    root: Path
    min_free_gib: float = 5.0


@dataclass(frozen=True)
class Destination:
    """A storage SCP that results are sent to."""

    name: str
    ae_title: str
    host: str
    port: int
    tls: TlsSettings | None = None
    storage_commitment: bool = False
    calling_ae_title: str = "SPINENODE"


@dataclass(frozen=True)
class WebDestination:
    """A DICOMweb archive that results are stored to with STOW-RS.

    Attributes
    ----------
    dicomweb_url
        Base URL of the service; ``/studies`` is appended.
    authorization
        Value of the Authorization header, for example ``Bearer ...``; never logged.
    """

    name: str
    dicomweb_url: str
    tls: TlsSettings | None = None
    authorization: str | None = field(default=None, repr=False)
