"""`spinenode check`: every failed check names its fix."""

from __future__ import annotations

from collections.abc import Callable

from service.config import Config
from service.doctor.listening import check_dashboard, check_port, check_tls
from service.doctor.model import check_model
from service.doctor.peers import examine_destinations
from service.doctor.result import CheckResult, passed
from service.doctor.storage import check_account, check_database, check_disk, check_spool
from service.doctor.telling import check_audit_file, examine_receivers

__all__ = ["CheckResult", "examine", "examine_destinations", "examine_receivers"]


def examine(config: Config) -> list[CheckResult]:
    """Run every check that needs no peer."""
    account = check_account(config)
    if not account.ok:  # what the others write would belong to the wrong user
        return [account]
    checks: tuple[Callable[[Config], CheckResult], ...] = (
        _configuration,
        check_spool,
        check_disk,
        check_database,
        check_model,
        check_port,
        check_tls,
        check_dashboard,
        check_audit_file,
    )
    return [check(config) for check in checks]


def _configuration(config: Config) -> CheckResult:
    peers = f"{len(config.node.peers)} peers" if config.node.peers else "any calling AE admitted"
    return passed(
        "config",
        f"{config.node.ae_title} on {config.node.host}:{config.node.port}, {peers}, "
        f"{len(config.destinations)} destinations",
    )
