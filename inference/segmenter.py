"""From a CT volume to named vertebra masks: the protocol, and the shipped network behind it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Protocol

import torch

from inference.anatomy import VertebraLevel
from inference.bridged_hollows import without_bridged_hollows
from inference.completeness import cut_by_view
from inference.cues import column_cues, sacrum_component
from inference.dens import give_dens
from inference.errors import ModelUnavailable, NotAnalysable
from inference.fusion import CoarseParts, FineMasks, SoftParts, fuse
from inference.instances import Instance, InstanceMap, find_instances
from inference.labelling import Labelling, label_column
from inference.networks import SpineUNet
from inference.preprocess import PreparedVolume, prepare
from inference.refinement import Refinement
from inference.report import LabelledVertebra, ModelIdentity, Segmentation
from inference.sliding import VoxelPrediction, predict
from inference.volume import CTVolume
from inference.weights import RELEASED, WeightsFile, load_networks, own_weights
from inference.window_search import Progress

MIN_VERTEBRAE = 2
"""A lone body-like shape is no spine: hips and skull bases look like one body. Of two or more, one
must lie wholly inside the view: pieces along the border are bones of any kind, and unmeasurable."""

SURE_LEVEL_SPREAD = 2.0
"""Level numbers over one true body spread by about 1; over a thigh or a hip by 2 to 3."""
MOST_LEVELS_APART = 5.0
"""Neighbours of one column, a few bodies missed between them included."""


class Segmenter(Protocol):
    """Anything that finds and names vertebrae on the source grid."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        ...

    def segment(self, volume: CTVolume, progress: Progress | None = None) -> Segmentation:
        """Masks on the grid of `volume`.

        Raises
        ------
        NotAnalysable
            ``no_vertebra`` or ``spine_too_short``.
        """
        ...


class TorchSegmenter:
    """The shipped networks with their instances, levels and fusion.

    Parameters
    ----------
    weights
        Which weights; their digest is checked when they are loaded.
    device
        ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
    threads
        CPU threads torch may use; None leaves torch's setting.

    Raises
    ------
    ModelUnavailable
        If weights or device cannot be used.
    """

    def __init__(
        self,
        weights: WeightsFile = RELEASED,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = chosen_device(device)
        networks = load_networks(weights)
        self._network = self._placed(networks.first)
        self._refiner = None if networks.refiner is None else self._placed(networks.refiner)
        self._identity = weights.identity

    def _placed(self, network: SpineUNet) -> SpineUNet:
        placed = network.to(self._device)
        return placed.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self._identity

    def segment(self, volume: CTVolume, progress: Progress | None = None) -> Segmentation:
        """Masks on the grid of `volume`.

        Raises
        ------
        NotAnalysable
            ``no_vertebra`` or ``spine_too_short``.
        """
        prepared = prepare(volume)
        prediction = predict(self._network, prepared.hu, self._device, progress)
        soft_parts: SoftParts = CoarseParts(prediction)
        if self._refiner is not None:
            soft_parts = Refinement(self._refiner, self._device, prediction, prepared)
        masks = assemble(prepared, prediction, self._identity, soft_parts)
        return without_bridged_hollows(volume, masks)


def assemble(
    prepared: PreparedVolume,
    prediction: VoxelPrediction,
    identity: ModelIdentity,
    soft_parts: SoftParts,
) -> Segmentation:
    """Named masks on the source grid from the networks' answers.

    Raises
    ------
    NotAnalysable
        ``no_vertebra`` or ``spine_too_short``.
    """
    found = find_instances(prediction)
    require_spine(found)
    labelling = label_column(column_cues(prediction, found))
    names = {
        instance.number: int(level)
        for instance, level in zip(found.instances, labelling.levels, strict=True)
    }
    for instance in found.instances:
        if names[instance.number] == VertebraLevel.C2:
            give_dens(found.labels, prediction, instance)
    sacrum = sacrum_component(prediction.tissue, found.instances[-1])
    masks = fuse(prediction, found.labels, names, sacrum, prepared, soft_parts)
    order = prepared.grid.order
    return Segmentation(
        labels=order.restore(masks.labels),
        bodies=order.restore(masks.bodies),
        vertebrae=_vertebrae(masks, labelling, (prepared.grid.start[0], prepared.grid.stop[0])),
        model=identity,
        warnings=labelling.warnings,
    )


def require_spine(found: InstanceMap) -> None:
    """Refuse to call a scan a spine on the evidence of nothing, or of a single body.

    Raises
    ------
    NotAnalysable
        ``no_vertebra`` or ``spine_too_short``.
    """
    if not found.instances:
        raise NotAnalysable("no_vertebra", "No vertebra was found in the scan.")
    if len(found.instances) < MIN_VERTEBRAE:
        raise NotAnalysable(
            "spine_too_short",
            f"Only {len(found.instances)} vertebra was found; at least {MIN_VERTEBRAE} are needed.",
        )
    if all(instance.touches_border for instance in found.instances):
        raise NotAnalysable("spine_too_short", "No vertebra lies wholly inside the field of view.")
    if not any(_follow(upper, lower) for upper, lower in pairwise(found.instances)):
        raise NotAnalysable(
            "no_vertebra",
            "Shapes like vertebral bodies were found, but no two of them follow one another"
            " as vertebrae do.",
        )


def _follow(upper: Instance, lower: Instance) -> bool:
    """Whether two neighbours read as vertebrae in the order from head to foot.

    Limbs give chains of body-like shapes whose level numbers run any way and scatter widely.
    """
    sure = max(upper.level_spread, lower.level_spread) <= SURE_LEVEL_SPREAD
    return sure and 0 < lower.level - upper.level <= MOST_LEVELS_APART


def _vertebrae(
    masks: FineMasks, labelling: Labelling, seen: tuple[int, int]
) -> tuple[LabelledVertebra, ...]:
    rows = [
        LabelledVertebra(level, confidence, not cut_by_view(masks.bodies, int(level), seen))
        for level, confidence in zip(labelling.levels, labelling.confidences, strict=True)
        if (masks.bodies == int(level)).any()
    ]
    return tuple(sorted(rows, key=lambda row: VertebraLevel(row.level).rank))


def chosen_device(name: str) -> torch.device:
    """Torch device for ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ModelUnavailable
        If CUDA is asked for and not there, or the name is another one.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ModelUnavailable(f"device is {name!r}, expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelUnavailable("device is cuda, but torch finds no CUDA device")
    use_cuda = name != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if use_cuda else "cpu")


def load_segmenter(
    weights: Path | None = None,
    sha256: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> TorchSegmenter:
    """Segmenter from configuration values.

    Parameters
    ----------
    weights
        A safetensors file of the networks; None takes the released weights.
    sha256
        Digest that file must have; required with `weights`.

    Raises
    ------
    ModelUnavailable
        If weights, digest or device cannot be used.
    """
    if weights is None:
        return TorchSegmenter(RELEASED, device, threads)
    if not sha256:
        raise ModelUnavailable(f"weights file {weights.name} is configured without its sha256")
    return TorchSegmenter(own_weights(weights, sha256, weights.stem), device, threads)
