"""Where the node listens: port, certificates, pages."""

from __future__ import annotations

import errno
import ipaddress
import socket

from node import Permanent
from node.tls import client_context, server_context
from service.config import Config
from service.destinations import tls_settings
from service.doctor.result import CheckResult, failed, passed


def check_port(config: Config) -> CheckResult:
    """Listen on the DICOM port for a moment, unless the service itself does."""
    address = f"{config.node.host}:{config.node.port}"
    if _answers(config.service.dashboard.host, config.service.dashboard.port) and _answers(
        config.node.host, config.node.port
    ):
        return passed("port", f"{address} is in use, as it is while the service runs")
    try:
        family = socket.AF_INET6 if ":" in config.node.host else socket.AF_INET
        with socket.create_server((config.node.host, config.node.port), family=family):
            return passed("port", f"{address} is free")
    except PermissionError:
        return failed(
            "port",
            f"{address}: ports below 1024 are for privileged programs",
            "run install-service again, which gives the unit that one privilege, or choose "
            "another node.port",
        )
    except OSError as error:
        return failed("port", f"{address}: {error.strerror}", _fix_of_address(error))


def check_tls(config: Config) -> CheckResult:
    """Load every certificate and key."""
    used = [("node", config.node.tls, server_context)] if config.node.tls.enabled else []
    named = [(f"destination {each.name}", each.tls) for each in config.destinations]
    named += [(f"source {each.name}", each.tls) for each in config.sources]
    used += [(name, tls, client_context) for name, tls in named if tls.enabled]
    for name, tls, context in used:
        settings = tls_settings(tls)
        try:
            if settings is not None:
                context(settings)
        except Permanent as error:
            return failed(
                "tls",
                f"{name}: {error}",
                "name cert, key and ca as PEM files that the service's user can read, the key "
                "without a passphrase and belonging to the certificate",
            )
    return passed("tls", ", ".join(name for name, *_ in used) or "not used")


def check_dashboard(config: Config) -> CheckResult:
    """Say who can open the pages."""
    pages = config.service.dashboard
    where = f"{pages.host}:{pages.port}"
    if pages.users:
        return passed("dashboard", f"{where}, {len(pages.users)} users")
    if _is_loopback(pages.host):
        return passed("dashboard", f"{where}, this host only, no login")
    return passed(
        "dashboard",
        f"{where} without users: the pages stay locked until service.dashboard.users has one "
        "('spinenode hash-password'); health and metrics answer",
    )


def _answers(host: str, port: int) -> bool:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        with socket.create_connection((reachable, port), timeout=2):
            return True
    except OSError:
        return False


def _fix_of_address(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            "stop the program that has the port ('ss -ltnp' names it), or choose another node.port"
        )
    return "node.host is no address of this host: 0.0.0.0 listens on all of them"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
