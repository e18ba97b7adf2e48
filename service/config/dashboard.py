"""``service.dashboard:``: where the pages listen, and who may see them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from service.config.section import Port, Section
from service.dashboard.passwords import is_hash

UserName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\s:]+$")]


def _is_hash(text: str) -> str:
    if not is_hash(text):
        raise ValueError("this is no password hash; 'spinenode hash-password' makes one")
    return text


PasswordHash = Annotated[str, AfterValidator(_is_hash)]


def _hashes_are_operators(users: Any) -> Any:
    """Read the short form ``name: hash`` as a user with the default role."""
    if not isinstance(users, dict):
        return users
    return {
        name: {"password": user} if isinstance(user, str) else user for name, user in users.items()
    }


class UserConfig(Section):
    """Who may log in; instead of these keys, the hash alone makes an operator."""

    password: PasswordHash
    role: Literal["viewer", "operator"] = "operator"
    sees_identifiers: bool = False


class DashboardConfig(Section):
    """The web pages; bound to loopback unless changed."""

    host: str = "127.0.0.1"
    port: Port = 8042
    users: Annotated[dict[UserName, UserConfig], BeforeValidator(_hashes_are_operators)] = Field(
        default_factory=dict
    )
    session_idle_minutes: Annotated[float, Field(gt=0, le=1440)] = 30.0
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> DashboardConfig:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("dashboard: tls_cert and tls_key are needed together")
        return self
