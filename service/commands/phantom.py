"""`spinenode phantom`: a synthetic spine CT with exact truth."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from service.commands.options import OutFolder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("phantom")(phantom)


def phantom(  # noqa: PLR0913, PLR0917 - the contract's options
    out: OutFolder,
    seed: Annotated[int, typer.Option(help="Same seed, same phantom.")] = 1,
    fracture: Annotated[
        list[str] | None,
        typer.Option(metavar="LEVEL:TYPE:LOSS", help="Such as L1:wedge:0.35; repeatable."),
    ] = None,
    bmd: Annotated[
        float | None, typer.Option(metavar="MG_CM3", help="Bone density of the bodies.")
    ] = None,
    orientation: Annotated[
        str, typer.Option(metavar="axial|sagittal|coronal", help="Slice orientation.")
    ] = "axial",
    spacing: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Voxel size in mm along patient x, y, z.")
    ] = None,
    levels: Annotated[str, typer.Option(metavar="T10-L5", help="Levels present.")] = "T10-L5",
    left_marker: Annotated[
        bool,
        typer.Option("--left-marker", help="Metal bead and one extra rib on the left side."),
    ] = False,
) -> None:
    """Write a synthetic spine CT (DICOM), its exact labels and truth."""
    from inference.phantom.dicom import write_phantom  # noqa: PLC0415 - keeps --help quick
    from inference.phantom.spec import (  # noqa: PLC0415
        PhantomSpec,
        parse_fracture,
        parse_levels,
        parse_spacing,
    )

    chosen: dict[str, Any] = {} if bmd is None else {"bmd_mg_cm3": bmd}
    if spacing is not None:
        chosen["spacing_xyz_mm"] = parse_spacing(spacing)
    spec = PhantomSpec(
        seed=seed,
        levels=parse_levels(levels),
        fractures=tuple(parse_fracture(text) for text in fracture or ()),
        orientation=orientation,
        left_marker=left_marker,
        **chosen,
    )
    out.mkdir(parents=True, exist_ok=True)
    write_phantom(spec, out)
    sys.stdout.write(f"phantom in {out}\n")
