"""What tissues and bone weigh in HU on a 120 kVp scan without contrast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.phantom.torso import Tissue

HU_PER_MG_CM3 = 1.33
"""HU per mg/cm3 of hydroxyapatite in water at 70 keV, the effective energy of 120 kVp (NIST mass
attenuation coefficients: 0.319/0.1937 - 1/3.16); the generic calibration of the texture package."""
HU_AT_ZERO_BMD = 0.0
"""HU of trabecular bone without mineral: water."""

TISSUE_HU: dict[Tissue, float] = {
    Tissue.AIR: -1000,
    Tissue.FAT: -105,
    Tissue.MUSCLE: 56,
    Tissue.VISCERAL_FAT: -98,
    Tissue.LUNG: -850,
    Tissue.LIVER: 60,
    Tissue.SPLEEN: 52,
    Tissue.KIDNEY: 34,
    Tissue.BOWEL: 32,
    Tissue.BOWEL_GAS: -860,
    Tissue.HEART: 44,
    Tissue.AORTA: 42,
    Tissue.VENA_CAVA: 40,
    Tissue.SKIN: 25,
}
"""HU of the soft tissues; canal, disc and bones are rendered from their surfaces."""

CANAL_HU = 18.0
CORD_HU = 36.0
DISC_HU = 82.0
METAL_HU = 3071.0

BODY_CORTEX_HU, BODY_CORTEX_MM = 600.0, 0.6
ARCH_CORTEX_HU, ARCH_CORTEX_MM = 720.0, 1.1
OTHER_CORTEX_HU, OTHER_CORTEX_MM = 720.0, 0.95
CORTEX_SPREAD = 0.3
"""Relative standard deviation of the cortex's thickness along the surface."""
ARCH_EXTRA_HU = 70.0
"""Trabecular bone of the arch above that of the body."""
TEXTURE_HU = 26.0
"""Standard deviation of the trabecular texture."""


def trabecular_hu(bmd_mg_cm3: float) -> float:
    """Mean HU of trabecular bone of a density."""
    return HU_AT_ZERO_BMD + HU_PER_MG_CM3 * bmd_mg_cm3


def soft_tissue_table() -> npt.NDArray[np.float32]:
    """HU by tissue class (float32)."""
    table = np.zeros(max(Tissue) + 1, dtype=np.float32)
    for tissue, hu in TISSUE_HU.items():
        table[tissue] = hu
    return table
