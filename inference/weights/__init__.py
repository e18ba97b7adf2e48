"""The released weights, and the door for a hospital's own.

`RELEASED` names the file beside this module and its sha256; a file whose digest differs is not
loaded. Own weights come with their own digest and the same architecture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from inference.errors import ModelUnavailable
from inference.networks import SpineUNet
from inference.refiner import refiner_network
from inference.report import ModelIdentity

NETWORK_SURFACE_SD_MM = 1.0
"""How far a network's mask may be off: it bridges deep hollows of an endplate, and the image must
be able to pull the surface into them."""


@dataclass(frozen=True)
class WeightsFile:
    """A safetensors file of the networks and what is known about it."""

    path: Path
    sha256: str
    name: str
    version: str

    @property
    def identity(self) -> ModelIdentity:
        """What reports and DICOM objects say about the model."""
        return ModelIdentity(self.name, self.version, self.sha256, NETWORK_SURFACE_SD_MM)


@dataclass(frozen=True)
class Networks:
    """What a weights file holds.

    Attributes
    ----------
    first
        Finds, names and segments vertebrae at 2 mm.
    refiner
        Redraws each vertebra at 1 mm; None where the file holds the first network alone.
    """

    first: SpineUNet
    refiner: SpineUNet | None = None


REFINER_PREFIX = "refiner."
"""Tensors of the second network are named so in a file; all others are the first one's."""

RELEASED = WeightsFile(
    path=Path(__file__).with_name("spinenode-2mm.safetensors"),
    sha256="1ecbe695a1aed98cb33a9b0e54fb5b14e39a6fc99a0c095375d31479f9c848a9",
    name="spinenode-2mm",
    version="0.9.0",
)
"""The weights this version ships; licence CC BY-SA 4.0 (see the model card)."""


def own_weights(path: Path, sha256: str, name: str, version: str = "1") -> WeightsFile:
    """Weights that are not shipped; the digest is pinned by whoever configures them."""
    return WeightsFile(path, sha256.strip().lower(), name, version)


def verified_bytes(weights: WeightsFile) -> bytes:
    """Content of the weights file.

    Raises
    ------
    ModelUnavailable
        If the file is missing or its sha256 is another one.
    """
    try:
        content = weights.path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"weights file {weights.path.name}: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != weights.sha256:
        raise ModelUnavailable(
            f"weights file {weights.path.name} has sha256 {digest[:16]}…, "
            f"expected {weights.sha256[:16]}…"
        )
    return content


def load_networks(weights: WeightsFile = RELEASED) -> Networks:
    """Build the networks in evaluation mode on the CPU, float32.

    Raises
    ------
    ModelUnavailable
        If the file is missing, altered, or of another architecture.
    """
    content = verified_bytes(weights)
    try:
        tensors = {name: tensor.to(torch.float32) for name, tensor in load_tensors(content).items()}
        second = {
            name.removeprefix(REFINER_PREFIX): tensors.pop(name)
            for name in list(tensors)
            if name.startswith(REFINER_PREFIX)
        }
        first = SpineUNet()
        first.load_state_dict(tensors)
        if not second:
            return Networks(first.eval())
        refiner = refiner_network()
        refiner.load_state_dict(second)
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelUnavailable(f"weights file {weights.path.name}: {reason}") from error
    return Networks(first.eval(), refiner.eval())
