"""``sources:``: the archives that are asked for studies, and that images are fetched from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from service.config.section import AETitle, Section, TlsConfig


class SourceConfig(Section):
    """One archive to ask and to fetch from: a DICOM AE, or a DICOMweb service."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    ae_title: AETitle | None = None
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    retrieve: Literal["move", "get"] = "move"
    dicomweb_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    authorization: str = ""
    tls: TlsConfig = TlsConfig()

    @model_validator(mode="after")
    def _one_way(self) -> SourceConfig:
        dicom = (self.ae_title, self.host, self.port)
        if self.dicomweb_url is not None:
            if any(value is not None for value in dicom) or "retrieve" in self.model_fields_set:
                raise ValueError(
                    f"source {self.name!r}: dicomweb_url excludes ae_title, host, port and retrieve"
                )
        elif any(value is None for value in dicom):
            raise ValueError(
                f"source {self.name!r}: ae_title, host and port are needed, or dicomweb_url"
            )
        return self
