"""Random fields: the noise of a reconstructed CT, and the texture of trabecular bone."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from inference.phantom.shapes import Field

TEXTURE_TILE = 64
"""Edge of the repeating tile of trabecular texture in steps of 0.8 mm."""
CUTOFF_PER_MM = 0.45
"""Where the noise power of a soft kernel has fallen off, in line pairs per mm."""


def scanner_noise(
    rng: np.random.Generator,
    shape_kji: tuple[int, int, int],
    sigma_hu: float,
    spacing_ji_mm: tuple[float, float],
) -> Field:
    """Noise of standard deviation `sigma_hu` with the spectrum of filtered back projection.

    The power rises with the frequency (ramp filter) and falls off with the kernel (Riederer et
    al., Phys Med Biol 1978;23:446).
    """
    _, rows, columns = shape_kji
    white = rng.standard_normal(shape_kji, dtype=np.float32)
    if sigma_hu == 0:
        return np.zeros(shape_kji, np.float32)
    by_row = np.fft.fftfreq(rows, spacing_ji_mm[0])[:, None]
    by_column = np.fft.rfftfreq(columns, spacing_ji_mm[1])[None, :]
    frequency = np.hypot(by_row, by_column)
    power = (frequency + 0.03) * np.exp(-2 * (frequency / CUTOFF_PER_MM) ** 2)
    gain = np.sqrt(power).astype(np.float32)
    shaped = fft.irfft2(fft.rfft2(white) * gain, s=(rows, columns))
    full = np.hypot(by_row, np.fft.fftfreq(columns, spacing_ji_mm[1])[None, :])
    mean_power = np.mean((full + 0.03) * np.exp(-2 * (full / CUTOFF_PER_MM) ** 2))
    return np.asarray(shaped * np.float32(sigma_hu / np.sqrt(mean_power)), np.float32)


LARGEST_GRAIN = 4.0
"""Standard deviation of the high-pass filter, in steps."""


def trabecular_texture(rng: np.random.Generator) -> Field:
    """A repeating tile (x, y, z; steps of 0.8 mm) of mean 0 and standard deviation 1.

    Coarser along z, as vertical trabeculae are. Nothing is as coarse as a body: its mean must be
    the density that was asked for.
    """
    white = rng.standard_normal((TEXTURE_TILE,) * 3, dtype=np.float32)
    fine = ndimage.gaussian_filter(white, (0.8, 0.8, 1.5), mode="wrap")
    coarse = ndimage.gaussian_filter(white[::-1], (2.2, 2.2, 3.0), mode="wrap")
    field = fine / fine.std() + 0.6 * coarse / coarse.std()
    field -= ndimage.gaussian_filter(field, LARGEST_GRAIN, mode="wrap")
    field -= field.mean()
    return np.asarray(field / field.std(), np.float32)
