"""One CT as axial DICOM, as sagittal reformat and as NIfTI: the same levels and numbers.

Tolerances
----------
A reformat that only reorders voxels, and a NIfTI of the same voxels, hold the same samples: the
heights agree within `EXACT_MM`, and the texture features, which see the same set of voxels
resampled from another array order, within floating point (`EXACT`).

A reformat onto another grid interpolates. The phantom's voxels are 1.5 mm and the new grid is half
a voxel off: linear interpolation of a noise-like texture halfway between two samples halves its
variance along each shifted axis. Heights are found where the endplate's edge crosses a level, below
the voxel size: a quarter of a voxel (0.4 mm) is allowed. Mean HU changes only where the region's
edge moves by a part of a voxel. Features of the spread (variance, entropy, run lengths) lose what
the interpolation smooths away; they are held to `INTERPOLATED` relative to their own size, tight
enough to notice a wrong voxel size, a lost axis or a shifted mask.
"""
