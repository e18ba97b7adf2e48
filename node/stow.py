"""STOW-RS as a user agent: results to a DICOMweb archive (PS3.18 Section 10.5).

One request per instance over one kept connection: the file streams from the disk, and the answer
is about exactly this instance.
"""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from node.errors import NotAcceptable, Retryable
from node.part10 import FileIdentity, identify
from node.scu import DeliveryObserver, DeliveryResult, Outcome, classify
from node.settings import WebDestination
from node.web import open_connection

LOG = logging.getLogger(__name__)
CHUNK_BYTES = 2**20
MAX_ANSWER_BYTES = 2**20
BOUNDARY = "spinenode-instance-boundary-7d1f3c"
HEAD = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
FAILED_SOP_SEQUENCE = "00081198"
FAILURE_REASON = "00081197"
REFERENCED_SOP_SEQUENCE = "00081199"
WARNING_REASON = "00081196"


@dataclass(frozen=True)
class _Answer:
    http_status: int
    body: bytes


def post_files(
    paths: Sequence[Path], destination: WebDestination, observer: DeliveryObserver | None = None
) -> tuple[DeliveryResult, ...]:
    """Store Part 10 files, one result per path in their order.

    Raises
    ------
    Retryable
        Not reachable at all; nothing was stored.
    Permanent
        The URL is not http or https, or TLS files are unusable.
    """
    url = urlsplit(destination.dicomweb_url)
    connection = open_connection(url, destination.tls)
    results: list[DeliveryResult] = []
    try:
        try:
            connection.connect()
        except OSError as error:
            raise Retryable(f"{destination.name} cannot be reached: {error}") from error
        for path in paths:
            result = _post_one(connection, path, url, destination)
            results.append(result)
            if observer is not None and result.SOPInstanceUID:
                observer.instance_delivered(result, destination)
    finally:
        connection.close()
    return tuple(results)


def _post_one(
    connection: http.client.HTTPConnection,
    path: Path,
    url: SplitResult,
    destination: WebDestination,
) -> DeliveryResult:
    try:
        identity = identify(path)
    except NotAcceptable as error:
        return DeliveryResult(path, "", "", None, Outcome.REFUSED, error.comment)
    except OSError as error:
        return DeliveryResult(path, "", "", None, Outcome.REFUSED, type(error).__name__)
    try:
        answer = _exchange(connection, path, url, destination)
    except (OSError, http.client.HTTPException) as error:
        # http.client opens a new connection for the next instance by itself.
        connection.close()
        return _result(path, identity, None, Outcome.FAILED, type(error).__name__)
    return interpret(path, identity, answer.http_status, answer.body)


def _exchange(
    connection: http.client.HTTPConnection,
    path: Path,
    url: SplitResult,
    destination: WebDestination,
) -> _Answer:
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
        "Content-Length": str(len(HEAD) + path.stat().st_size + len(TAIL)),
        "Accept": "application/dicom+json",
    }
    if destination.authorization is not None:
        headers["Authorization"] = destination.authorization
    connection.request("POST", f"{url.path.rstrip('/')}/studies", _body(path), headers)
    response = connection.getresponse()
    body = response.read(MAX_ANSWER_BYTES)
    if not response.isclosed():
        connection.close()
    return _Answer(response.status, body)


def _body(path: Path) -> Iterator[bytes]:
    yield HEAD
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
    yield TAIL


def interpret(path: Path, identity: FileIdentity, http_status: int, body: bytes) -> DeliveryResult:
    """Return what an answer to one stored instance means (PS3.18 Tables 10.5.3-1, I.2.2)."""
    if http_status in (408, 425, 429) or http_status >= 500:
        return _result(path, identity, None, Outcome.FAILED, f"HTTP {http_status}")
    if http_status not in (200, 202, 409):
        return _result(path, identity, None, Outcome.REFUSED, f"HTTP {http_status}")
    answer = _json(body)
    reason = _first_number(answer, FAILED_SOP_SEQUENCE, FAILURE_REASON)
    if reason is not None:
        outcome = classify(reason)
        if outcome in (Outcome.SENT, Outcome.WARNING):
            outcome = Outcome.REFUSED
        return _result(path, identity, reason, outcome, f"HTTP {http_status}")
    if http_status == 409 or _has_items(answer, FAILED_SOP_SEQUENCE):
        return _result(path, identity, None, Outcome.REFUSED, f"HTTP {http_status}")
    warning = _first_number(answer, REFERENCED_SOP_SEQUENCE, WARNING_REASON)
    if warning is not None:
        return _result(path, identity, warning, Outcome.WARNING, f"HTTP {http_status}")
    return _result(path, identity, 0x0000, Outcome.SENT, "")


def _json(body: bytes) -> dict[str, Any]:
    """Return the dataset of an answer; servers also answer without one, or with XML."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    if isinstance(answer, list) and answer:
        answer = answer[0]
    return answer if isinstance(answer, dict) else {}


def _has_items(answer: dict[str, Any], sequence: str) -> bool:
    """Orthanc answers a stored instance with a Failed SOP Sequence without items."""
    element = answer.get(sequence)
    return bool(element.get("Value")) if isinstance(element, dict) else element is not None


def _first_number(answer: dict[str, Any], sequence: str, tag: str) -> int | None:
    """Return the first value of a tag in the first item of a sequence, if it is there."""
    try:
        value = answer[sequence]["Value"][0][tag]["Value"][0]
    except (KeyError, IndexError, TypeError):
        return None
    return value if isinstance(value, int) else None


def _result(
    path: Path, identity: FileIdentity, status: int | None, outcome: Outcome, comment: str
) -> DeliveryResult:
    header = identity.header
    return DeliveryResult(path, header.SOPInstanceUID, header.SOPClassUID, status, outcome, comment)
