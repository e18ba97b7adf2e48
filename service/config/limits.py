"""``node.limits`` and ``inference.limits``: how much one peer or one input may ask for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.config.section import Section

Seconds = Annotated[float, Field(gt=0, le=3600)]


class ListenerLimitsConfig(Section):
    """What one peer may take of the listener."""

    handshake_seconds: Seconds = 5.0
    idle_seconds: Seconds = 60.0
    max_connecting: Annotated[int, Field(ge=1, le=10_000)] = 256
    max_associations_per_peer: Annotated[int, Field(ge=0)] = 0
    max_pdu_kib: Annotated[int, Field(ge=4, le=16_384)] = 128
    max_instance_mib: Annotated[int, Field(ge=1, le=1_048_576)] = 2048


class InputLimitsConfig(Section):
    """How large a series may claim to be before memory is taken for it."""

    max_rows: Annotated[int, Field(ge=1, le=65_535)] = 4096
    max_columns: Annotated[int, Field(ge=1, le=65_535)] = 4096
    max_frames: Annotated[int, Field(ge=1)] = 20_000
    max_voxels: Annotated[int, Field(ge=1)] = 2**31
    max_inflated_mib: Annotated[int, Field(ge=1)] = 2048
