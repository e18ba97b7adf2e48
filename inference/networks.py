"""The segmentation network: a residual 3D U-Net with class, offset and level outputs.

One forward pass answers, per voxel of a 2 mm grid: which tissue it is (`Tissue`), where the
centre of its own vertebral body lies (offset vector, in units of `OFFSET_UNIT_MM`), and roughly
how far down the spine it is (one number, `LEVEL_CENTRE` and `LEVEL_UNIT`).

The network works on arrays ordered ``[R+, A+, S+]``: index 0 grows to the
patient's right, index 1 to the front, index 2 to the head; `inference.preprocess` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from torch import Tensor, nn
from torch.nn import functional

OFFSET_UNIT_MM = 20.0
"""The offset channels hold millimetres divided by this."""

LEVEL_CENTRE = 14.0
LEVEL_UNIT = 8.0
"""The level channel holds ``(rank number - LEVEL_CENTRE) / LEVEL_UNIT``, C1 = 1 ... L5 = 24."""

STRIDE = 16
"""Patch sizes must be multiples of this: four halvings."""


class Tissue(IntEnum):
    """Classes of the first output channels."""

    BACKGROUND = 0
    BODY = 1
    POSTERIOR = 2
    SACRUM = 3
    RIB = 4
    OTHER_BONE = 5
    DISC = 6


OFFSET_CHANNELS = slice(len(Tissue), len(Tissue) + 3)
LEVEL_CHANNEL = len(Tissue) + 3
OUTPUT_CHANNELS = len(Tissue) + 4


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions with instance normalisation around a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = nn.InstanceNorm3d(channels_out, affine=True)
        self.conv2 = nn.Conv3d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.InstanceNorm3d(channels_out, affine=True)
        keeps_shape = channels_in == channels_out and stride == 1
        self.shortcut: nn.Module = (
            nn.Identity()
            if keeps_shape
            else nn.Conv3d(channels_in, channels_out, 1, stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, channels_out, ...), halved where the stride is 2."""
        y = functional.leaky_relu(self.norm1(self.conv1(x)), 0.01)
        y = self.norm2(self.conv2(y))
        return functional.leaky_relu(y + self.shortcut(x), 0.01)


class DecoderBlock(nn.Module):
    """Brings coarse features to the next finer scale and merges the encoder's by addition."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.project = nn.Conv3d(channels_in, channels_out, 1)
        self.conv = nn.Conv3d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm = nn.InstanceNorm3d(channels_out, affine=True)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """Features at the scale of `skip`."""
        up = functional.interpolate(self.project(coarse), size=skip.shape[2:], mode="nearest")
        return functional.leaky_relu(self.norm(self.conv(up + skip)), 0.01)


class SpineUNet(nn.Module):
    """Residual U-Net; the output has the input's size.

    Parameters
    ----------
    channels_in
        Two HU windows (`inference.preprocess.hu_windows`).
    channels_out
        Tissue logits, three offsets, one level value, in that order.
    widths
        Channels per scale, finest first; every further scale halves the grid.
    """

    def __init__(
        self,
        channels_in: int = 2,
        channels_out: int = OUTPUT_CHANNELS,
        widths: Sequence[int] = (12, 24, 48, 96, 128),
    ) -> None:
        super().__init__()
        inputs = (channels_in, *widths[:-1])
        self.encoder = nn.ModuleList(
            ResidualBlock(before, after, 1 if depth == 0 else 2)
            for depth, (before, after) in enumerate(zip(inputs, widths, strict=True))
        )
        self.decoder = nn.ModuleList(
            DecoderBlock(coarse, fine)
            for coarse, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv3d(widths[0], channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, a, b, c) to (n, channels_out, a, b, c)."""
        skips: list[Tensor] = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        for block, skip in zip(self.decoder, skips[-2::-1], strict=True):
            x = block(x, skip)
        result: Tensor = self.head(x)
        return result


_PROTOTYPE_NAMES = (
    ("enc.", "encoder."),
    (".c1.", ".conv1."),
    (".c2.", ".conv2."),
    (".n1.", ".norm1."),
    (".n2.", ".norm2."),
    (".sk.", ".shortcut."),
)


def from_prototype_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a checkpoint of the experiments that preceded `SpineUNet`."""
    return {_renamed(name): tensor for name, tensor in state.items()}


def _renamed(name: str) -> str:
    part, _, rest = name.partition(".")
    if part == "up":
        depth, _, parameter = rest.partition(".")
        return f"decoder.{depth}.project.{parameter}"
    if part == "dec":
        depth, layer, parameter = rest.split(".")
        return f"decoder.{depth}.{'conv' if layer == '0' else 'norm'}.{parameter}"
    for old, new in _PROTOTYPE_NAMES:
        name = name.replace(old, new)
    return name
