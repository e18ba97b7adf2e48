"""What every section of the configuration shares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")]
Port = Annotated[int, Field(ge=0, le=65535)]
OutputKind = Literal["seg", "sr", "overview", "pdf", "key_images"]
OUTPUT_KINDS: tuple[OutputKind, ...] = ("seg", "sr", "overview", "pdf", "key_images")


class Section(BaseModel):
    """Unknown keys are errors everywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsConfig(Section):
    """TLS for one listener or destination (DICOM PS3.15 B.12)."""

    enabled: bool = False
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    require_client_cert: bool = True

    @model_validator(mode="after")
    def _complete(self) -> TlsConfig:
        if self.enabled and self.cert is not None and self.key is None:
            raise ValueError("tls.cert is given without tls.key")
        return self
