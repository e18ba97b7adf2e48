"""``destinations:``: the archives that receive the results."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from service.config.section import OUTPUT_KINDS, AETitle, OutputKind, Section, TlsConfig


class DestinationConfig(Section):
    """One archive that receives the results: a DICOM AE, or a DICOMweb service."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    ae_title: AETitle | None = None
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    dicomweb_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    authorization: str = ""
    tls: TlsConfig = TlsConfig()
    storage_commitment: bool = False
    outputs: tuple[OutputKind, ...] = OUTPUT_KINDS
    refusals_remembered_hours: Annotated[float, Field(ge=0)] = 24.0

    @model_validator(mode="after")
    def _one_way(self) -> DestinationConfig:
        dicom = (self.ae_title, self.host, self.port)
        if self.dicomweb_url is not None:
            if any(value is not None for value in dicom) or self.storage_commitment:
                raise ValueError(
                    f"destination {self.name!r}: dicomweb_url excludes ae_title, host, port and "
                    "storage_commitment"
                )
        elif any(value is None for value in dicom):
            raise ValueError(
                f"destination {self.name!r}: ae_title, host and port are needed, or dicomweb_url"
            )
        return self
