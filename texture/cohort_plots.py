"""Forest plot of the odds ratios and box plots of the features, as PNG and PDF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from texture.cohort_data import Cohort
from texture.cohort_models import LOG_SCALE
from texture.cohort_table import CohortResult, p_text, p_value
from texture.features import REGISTRY

FORMATS = ("png", "pdf")
ODDS_TICKS = (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10)
REFERENCE_COLOUR, COMPARED_COLOUR = "#4c78a8", "#e45756"


def forest_plot(folder: Path, table: CohortResult) -> tuple[Path, ...]:
    """Odds ratio per SD with its 95 % interval, one line per feature; empty without odds."""
    rows = [(r.key, r.odds_ratio) for r in table.features if r.odds_ratio is not None]
    if not rows:
        return ()
    figure = Figure(figsize=(7.0, 0.45 * len(rows) + 1.4), layout="constrained")
    axes = figure.add_subplot()
    for y, (key, odds) in enumerate(reversed(rows)):
        filled = table.roles[key] == "primary"
        axes.plot([odds.low, odds.high], [y, y], color="black", linewidth=1.2)
        axes.plot(
            odds.per_sd, y, "s", color="black", markerfacecolor="black" if filled else "white"
        )
        label = f"{odds.per_sd:.2f} ({odds.low:.2f}–{odds.high:.2f})  p {p_text(odds.p_lr)}"
        axes.annotate(label, (1.02, y), xycoords=("axes fraction", "data"), va="center", size=8)
    axes.axvline(1.0, color="grey", linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in ODDS_TICKS if low <= tick <= high])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.tick_params(axis="x", labelsize=8)
    axes.set_yticks(range(len(rows)), [REGISTRY[key].name for key, _ in reversed(rows)])
    axes.set_xlabel(f"Odds ratio of {table.groups[1]} per SD (adjusted for age and sex)")
    axes.set_title("Filled: primary, open: exploratory", size=9, loc="left")
    return _save(figure, folder, "forest")


def box_plots(folder: Path, cohort: Cohort, table: CohortResult) -> tuple[Path, ...]:
    """Unadjusted values per group, one panel per feature."""
    columns = min(4, len(table.features))
    lines = -(-len(table.features) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.7 * lines), layout="constrained")
    panels = np.atleast_1d(figure.subplots(lines, columns)).ravel()
    second = cohort.rows["second_group"].to_numpy() == 1.0
    for axes, result in zip(panels, table.features, strict=False):
        values = cohort.rows[result.key].to_numpy()
        present = np.isfinite(values)
        boxes = axes.boxplot(
            [values[present & ~second], values[present & second]],
            tick_labels=list(table.groups),
            widths=0.6,
            patch_artist=True,
            flierprops={"markersize": 2},
            medianprops={"color": "black"},
        )
        for patch, colour in zip(boxes["boxes"], (REFERENCE_COLOUR, COMPARED_COLOUR), strict=True):
            patch.set_facecolor(colour)
        if result.key in LOG_SCALE:
            axes.set_yscale("log")
        p = p_text(p_value(result, table.covariance))
        axes.set_title(f"{REGISTRY[result.key].name}\nadjusted p {p}", size=9)
        axes.tick_params(which="both", labelsize=8)
    for axes in panels[len(table.features) :]:
        axes.set_axis_off()
    return _save(figure, folder, "boxplots")


def _save(figure: Figure, folder: Path, name: str) -> tuple[Path, ...]:
    FigureCanvasAgg(figure)
    written = []
    for suffix in FORMATS:
        path = folder / f"{name}.{suffix}"
        metadata = {"CreationDate": None} if suffix == "pdf" else None
        figure.savefig(path, dpi=150, metadata=metadata)
        written.append(path)
        figure.set_layout_engine("none")  # keep the first layout: finding it takes longest
    return tuple(written)
