"""Who the results go to, and who is asked for images."""

from __future__ import annotations

from node import NodeError, Permanent, WebDestination
from node.scu import echo
from service.config import Config
from service.destinations import node_destination
from service.doctor.result import CheckResult, failed, passed


def examine_destinations(config: Config) -> list[CheckResult]:
    """C-ECHO every destination."""
    if not config.destinations:
        return [passed("destinations", "none configured: results stay in the spool")]
    return [_echo(config, destination.name) for destination in config.destinations]


def _echo(config: Config, destination: str) -> CheckResult:
    name = f"echo {destination}"
    target = node_destination(config, destination)
    if isinstance(target, WebDestination):
        return passed(name, f"{target.dicomweb_url}: DICOMweb, C-ECHO does not apply")
    address = f"{target.ae_title} at {target.host}:{target.port}"
    try:
        echo(target)
    except Permanent as error:
        return failed(
            name,
            f"{address}: {error}",
            f"let the archive admit {config.node.ae_title} as calling AE, correct the "
            "destination's ae_title, and compare tls on both sides",
        )
    except NodeError as error:
        return failed(
            name,
            f"{address}: {error}",
            "check that the archive runs, the destination's host and port, the firewall between, "
            f"and that the archive knows {config.node.ae_title}",
        )
    return passed(name, f"{address} answers")
