"""The road from a CT to named masks, on a small real crop where it is there."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch

from inference import NotAnalysable, UnreadableInput, analyse_volume
from inference.anatomy import VertebraLevel as V
from inference.fusion import CoarseParts
from inference.instances import Instance, InstanceMap
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import render
from inference.phantom.spec import PhantomSpec
from inference.preprocess import prepare
from inference.segmenter import TorchSegmenter, assemble, require_spine
from inference.sliding import predict
from inference.supplied_mask import segmentation_from_labels
from inference.volume import CTVolume
from inference.weights import RELEASED, load_networks

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CROP = DATA / "ct" / "tptbox_L3.nii.gz"
ORDERS = [(axes, flips) for axes in permutations(range(3)) for flips in product((1, -1), repeat=3)]

needs_crop = pytest.mark.skipif(not CROP.exists(), reason="the real CT crop is not on this machine")


@pytest.fixture(scope="module")
def segmenter():
    threads = torch.get_num_threads()
    yield TorchSegmenter(device="cpu", threads=1)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def crop():
    return CTVolume.from_nifti(CROP)


@pytest.fixture(scope="module")
def segmentation(segmenter, crop):
    return segmenter.segment(crop)


def reordered(volume, order):
    """The same CT stored in another axis order."""
    axes, flips = order
    hu, affine = volume.hu.transpose(axes), volume.affine_lps[:, [*axes, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip < 0:
            affine[:3, 3] += affine[:3, axis] * (hu.shape[axis] - 1)
            affine[:3, axis] *= -1
    turned = hu[tuple(slice(None, None, flip) for flip in flips)]
    return CTVolume(np.ascontiguousarray(turned), affine)


def same_order(array, order):
    axes, flips = order
    return array.transpose(axes)[tuple(slice(None, None, flip) for flip in flips)]


@needs_crop
def test_three_lumbar_vertebrae_are_found_as_an_expert_drew_them(segmentation, crop):
    """Level names are uncertain in a crop without ribs or sacrum, and the result says so."""
    from inference.nifti import load_labels

    expert = load_labels(DATA / "labels" / "tptbox_L3_vert_verse.nii.gz", crop)
    assert [v.complete for v in segmentation.vertebrae] == [False, True, False]
    for found, drawn in zip(segmentation.vertebrae, (21, 22, 23), strict=True):
        mine, theirs = segmentation.labels == int(found.level), expert == drawn
        assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.85
    assert not segmentation.bodies[segmentation.labels == 0].any()
    assert "no_anchor" in {w.code for w in segmentation.warnings}
    assert max(v.confidence for v in segmentation.vertebrae) <= 0.8


@needs_crop
def test_every_axis_order_reaches_the_network_alike(crop):
    """All 48 ways to store the same CT."""
    reference = prepare(crop)
    for order in ORDERS:
        prepared = prepare(reordered(crop, order))
        assert np.array_equal(prepared.hu, reference.hu)


def same_answer(turned, segmentation, order):
    assert turned.vertebrae == segmentation.vertebrae
    assert np.array_equal(turned.labels, same_order(segmentation.labels, order))
    assert np.array_equal(turned.bodies, same_order(segmentation.bodies, order))


@needs_crop
@pytest.mark.parametrize("order", [ORDERS[5], ORDERS[26], ORDERS[43]])
def test_masks_come_back_in_the_axis_order_of_the_source(segmenter, segmentation, crop, order):
    same_answer(segmenter.segment(reordered(crop, order)), segmentation, order)


@needs_crop
@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_masks_come_back_in_each_of_the_48_axis_orders(segmenter, segmentation, crop, order):
    same_answer(segmenter.segment(reordered(crop, order)), segmentation, order)


def test_one_answer_of_the_network_becomes_the_same_masks_in_all_48_axis_orders(segmenter):
    """The input is alike in all of them; here the way back is, the first network's masks in it."""
    spec = PhantomSpec(
        levels=(V.L2, V.L3), spacing_xyz_mm=(1.6, 1.5, 2.5), field_of_view_mm=150.0, noise_hu=5.0
    )
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    volume = CTVolume(render(spec, anatomy, affine, shape).hu, affine)
    prepared = prepare(volume)
    prediction = predict(load_networks(RELEASED).first, prepared.hu, torch.device("cpu"))
    parts = CoarseParts(prediction)
    reference = assemble(prepared, prediction, segmenter.identity, parts)
    assert {V.L2, V.L3} <= {row.level for row in reference.vertebrae}
    for order in ORDERS:
        turned = prepare(reordered(volume, order))
        assert np.array_equal(turned.hu, prepared.hu)
        same_answer(assemble(turned, prediction, segmenter.identity, parts), reference, order)


def test_c2_has_its_dens(segmenter):
    """On a procedural neck stored feet first: most of what stands above the body, and no more."""
    spec = PhantomSpec(
        seed=77,
        levels=(V.C2, V.C3, V.C4, V.C5, V.C6, V.C7, V.T1, V.T2, V.T3),
        spacing_xyz_mm=(0.9, 0.9, 1.5),
        field_of_view_mm=160.0,
    )
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    made = render(spec, anatomy, affine, shape)
    found = segmenter.segment(reordered(CTVolume(made.hu, affine), ((0, 1, 2), (-1, 1, 1))))
    assert "no_anchor" not in {notice.code for notice in found.warnings}
    labels, body = found.labels[::-1], made.bodies == V.C2
    height = np.flatnonzero(body.any(axis=(1, 2)))
    dens = height[-len(height) // 3 :]
    assert (labels[dens] == V.C2)[body[dens]].mean() > 0.5
    assert (made.labels == V.C2)[dens][labels[dens] == V.C2].mean() > 0.8


@pytest.mark.parametrize("blended", [False, True])
def test_a_vertebra_that_padding_cuts_is_not_whole(segmenter, blended):
    """Half a body is no fracture, also where a resampled slice is half padding."""
    spec = PhantomSpec(
        levels=(V.L2, V.L3, V.L4, V.L5), spacing_xyz_mm=(1.5, 1.5, 2.0), field_of_view_mm=150.0
    )
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    made = render(spec, anatomy, affine, shape)
    heights = np.flatnonzero((made.bodies == V.L2).any(axis=(1, 2)))
    middle = int(heights.mean())
    hu = made.hu.copy()
    hu[middle:] = -1024
    if blended:
        hu[middle] = (made.hu[middle].astype(np.int32) - 1024) // 2
    found = segmenter.segment(reordered(CTVolume(hu, affine), ((0, 2, 1), (-1, 1, -1))))
    uppermost, *others = (row.complete for row in found.vertebrae)
    assert not uppermost
    assert any(others)


@pytest.mark.parametrize("hu", [-1024, 0, 40, 3071])
def test_a_scan_without_a_spine_gets_a_coded_refusal(segmenter, hu):
    volume = CTVolume(np.full((20, 40, 40), hu, dtype=np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))
    with pytest.raises(NotAnalysable) as refusal:
        segmenter.segment(volume)
    assert refusal.value.code in {"no_vertebra", "spine_too_short"}


def instances(*borders):
    """An instance map whose vertebrae touch the border or not."""
    rows = tuple(
        Instance(n, (30.0 - 10 * n, 20.0, 20.0), 20.0, 8.0, 20.0 + n, 0.5, touches)
        for n, touches in enumerate(borders, start=1)
    )
    return InstanceMap(np.zeros((1, 1, 1), dtype=np.uint8), rows)


@pytest.mark.parametrize(
    ("borders", "code"),
    [((), "no_vertebra"), ((False,), "spine_too_short"), ((True, True), "spine_too_short")],
)
def test_nothing_a_lone_body_or_pieces_along_the_border_are_no_spine(borders, code):
    with pytest.raises(NotAnalysable) as refusal:
        require_spine(instances(*borders))
    assert refusal.value.code == code


def test_two_vertebrae_with_one_whole_are_enough():
    require_spine(instances(True, False))


@pytest.mark.parametrize(
    ("levels", "spread"),
    [((14.6, 11.6), 1.0), ((11.6, 12.6), 2.6), ((12.0, 12.0), 1.0)],
    ids=["feet first", "level unclear", "one level twice"],
)
def test_bodies_that_do_not_follow_one_another_are_no_spine(levels, spread):
    """What a thigh bone looked like to the network: two bodies, read in the wrong order."""
    rows = tuple(
        Instance(n, (30.0 - 10 * n, 20.0, 20.0), 20.0, 8.0, level, spread, False)
        for n, level in enumerate(levels, start=1)
    )
    with pytest.raises(NotAnalysable) as refusal:
        require_spine(InstanceMap(np.zeros((1, 1, 1), dtype=np.uint8), rows))
    assert refusal.value.code == "no_vertebra"


def blocks(labels=(20, 21)):
    """A CT and a mask of box-shaped vertebrae with arches, in VerSe labels."""
    hu = np.full((90, 60, 60), 40, dtype=np.int16)
    mask = np.zeros(hu.shape, dtype=np.uint8)
    for n, label in enumerate(labels):
        z = 62 - 36 * n
        mask[z : z + 24, 10:36, 15:45] = label
        mask[z + 8 : z + 16, 36:54, 27:33] = label
    hu[mask > 0] = 250
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=float)
    return CTVolume(hu, affine), mask


def test_a_supplied_mask_is_measured_under_its_own_names():
    volume, mask = blocks()
    report = analyse_volume(volume, mask)
    assert [v.level.name for v in report.vertebrae] == ["L1", "L2"]
    assert report.segmentation.model.name == "supplied mask"
    assert len(report.segmentation.model.sha256) == 64
    assert np.array_equal(report.segmentation.labels, mask)
    assert report.segmentation.bodies[70, 20, 30] == 20
    assert report.segmentation.bodies[74, 50, 30] == 0
    assert report.vertebrae[0].complete


def test_a_supplied_mask_that_reaches_padding_is_not_whole():
    volume, mask = blocks()
    volume.hu[76:] = -1024
    found = segmentation_from_labels(volume, mask)
    assert {row.level: row.complete for row in found.vertebrae} == {V.L1: False, V.L2: True}


def test_labels_that_are_no_vertebrae_are_ignored_and_named():
    volume, mask = blocks()
    mask[0:4, 0:4, 0:4] = 200
    mask[0:4, 6:9, 0:4] = 27
    found = segmentation_from_labels(volume, mask)
    assert set(np.unique(found.labels)) == {0, 20, 21}
    notice = next(w for w in found.warnings if w.code == "unknown_labels")
    assert "27, 200" in notice.text


def test_a_mask_on_another_grid_is_refused():
    volume, mask = blocks()
    with pytest.raises(UnreadableInput, match="shape"):
        segmentation_from_labels(volume, mask[1:])


def test_a_mask_without_vertebrae_is_not_analysable():
    volume, mask = blocks()
    with pytest.raises(NotAnalysable) as refusal:
        segmentation_from_labels(volume, np.where(mask > 0, 26, 0).astype(np.uint8))
    assert refusal.value.code == "no_vertebra"
