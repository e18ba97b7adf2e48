"""The training loop: it learns, it resumes exactly, it keeps the best weights."""

import dataclasses
import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from inference.networks import OUTPUT_CHANNELS, SpineUNet, Tissue
from inference.refiner import INPUT_CHANNELS, Part
from inference.sliding import VoxelPrediction
from inference.training import bundle
from inference.training.__main__ import main
from inference.training.checkpoint import Checkpoint, export_safetensors, initial_weights
from inference.training.config import (
    Cadence,
    LossWeights,
    Schedule,
    TrainingConfig,
    config_from_mapping,
    read_config,
)
from inference.training.errors import (
    CheckpointMismatch,
    InvalidTrainingConfig,
    MissingTrainingData,
)
from inference.training.evaluation import agreement, combined_score, labelled_case
from inference.training.fine_config import FineConfig, read_fine_config
from inference.training.fine_samples import FineSample
from inference.training.fine_trainer import FineTrainer
from inference.training.label_maps import source_from_levels
from inference.training.losses import Targets, loss_terms
from inference.training.optimisation import learning_rate
from inference.training.patches import PatchDataset, SourceMix
from inference.training.sources import source_mix
from inference.training.train import BEST, METRICS, STATE, Examination, Run
from inference.training.trainer import Trainer
from inference.weights import RELEASED, load_networks, own_weights

SHAPE = (16, 16, 32)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def mix() -> SourceMix:
    labels = np.zeros((30, 30, 60), dtype=np.uint8)
    for number, label in enumerate((22, 21, 20)):
        foot = 6 + 17 * number
        labels[8:22, 14:26, foot : foot + 12] = label
        labels[13:17, 6:14, foot + 3 : foot + 8] = label
    return SourceMix({"blocks": [source_from_levels("blocks", labels, 2.0)]}, {"blocks": 1.0})


def small(steps: int = 6, **changes) -> TrainingConfig:
    config = TrainingConfig(
        seed=4,
        patch_size=SHAPE,
        widths=(4, 8, 8),
        workers=0,
        schedule=Schedule(steps=steps, warmup_steps=2, learning_rate=5e-3),
        cadence=Cadence(log_steps=2),
    )
    return dataclasses.replace(config, **changes)


def batch(mix: SourceMix, number: int = 0) -> list[torch.Tensor]:
    return [t[None] for t in PatchDataset(mix, SHAPE, 4, 100)[number]]


def run_of(config: TrainingConfig, mix: SourceMix, folder: Path) -> Run:
    held_out = Examination((), {"held_out": PatchDataset(mix, SHAPE, 77, 2)})
    return Run(Trainer(config), mix, held_out, folder)


def test_steps_on_one_patch_lower_its_loss(mix):
    trainer = Trainer(small(steps=40))
    fixed = batch(mix)
    losses = [trainer.train_step(fixed).values()["total"] for _ in range(25)]
    assert losses[-1] < 0.7 * losses[0]


def test_resumed_run_ends_in_the_identical_state(mix, tmp_path):
    """Stopped after four of seven steps and resumed, every tensor equals the unbroken run's."""
    whole = run_of(small(steps=7), mix, tmp_path / "whole")
    whole.train()
    broken = run_of(small(steps=7), mix, tmp_path / "broken")
    for step in range(4):
        broken.trainer.train_step(batch(mix, step))
    broken.trainer.checkpoint(1.0, -9.0).save(tmp_path / "broken" / STATE)
    resumed = run_of(small(steps=7), mix, tmp_path / "broken")
    resumed.resume()
    resumed.train()
    ours = Checkpoint.load(tmp_path / "whole" / STATE)
    theirs = Checkpoint.load(tmp_path / "broken" / STATE)
    assert ours.step == theirs.step == 7
    for state, other in ((ours.network, theirs.network), (ours.averaged, theirs.averaged)):
        assert all(torch.equal(state[name], other[name]) for name in state)
    for key, moments in ours.optimizer["state"].items():
        assert torch.equal(moments["exp_avg"], theirs.optimizer["state"][key]["exp_avg"])


def test_a_resumed_run_of_the_refiner_takes_the_same_next_step(tmp_path):
    rng = np.random.default_rng(5)
    sample = FineSample(
        torch.from_numpy(rng.normal(size=(INPUT_CHANNELS, 16, 16, 16)).astype(np.float32)),
        torch.from_numpy(rng.integers(0, len(Part), (16, 16, 16))),
    )
    whole, resumed = FineTrainer(FineConfig(seed=1)), FineTrainer(FineConfig(seed=2))
    whole.train_step(sample)
    whole.save(tmp_path)
    resumed.resume_in(tmp_path)
    losses = [run.train_step(sample) for run in (whole, resumed)]
    assert losses[0] == losses[1]
    assert whole.step == resumed.step == 2
    ours, theirs = whole.averaged.state_dict(), resumed.averaged.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_run_folder_holds_state_best_weights_and_metrics(mix, tmp_path):
    run_of(small(steps=4), mix, tmp_path).train()
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    scores = [line["score"] for line in lines if "score" in line]
    assert len(scores) == 2
    assert any("loss" in line for line in lines)
    best = load_file(tmp_path / BEST)
    network = SpineUNet(widths=(4, 8, 8))
    network.load_state_dict(best)
    assert Checkpoint.load(tmp_path / STATE).best_score == pytest.approx(max(scores))
    assert not list(tmp_path.glob("*.partial"))


def test_losses_are_near_zero_for_the_right_answer():
    classes = torch.zeros(1, 8, 8, 8, dtype=torch.long)
    classes[:, 2:6, 2:6, 2:7] = Tissue.BODY
    inside = classes > 0
    output = torch.zeros(1, OUTPUT_CHANNELS, 8, 8, 8)
    output.scatter_(1, classes[:, None], 40.0)
    output[:, 7:10] = 0.3
    output[:, 10] = -0.5
    offsets = torch.full((1, 3, 8, 8, 8), 0.3)
    level = torch.full((1, 8, 8, 8), -0.5)
    right = loss_terms(output, Targets(classes, offsets, level, inside), LossWeights())
    wrong = loss_terms(output, Targets(classes, offsets + 1, level + 1, inside), LossWeights())
    assert right.values()["cross_entropy"] < 1e-6
    assert right.values()["offset"] < 1e-6
    assert wrong.values()["offset"] > 0.5
    assert wrong.values()["level"] > 0.5


def test_offsets_outside_vertebrae_do_not_count():
    classes = torch.zeros(1, 8, 8, 8, dtype=torch.long)
    output = torch.randn(1, OUTPUT_CHANNELS, 8, 8, 8)
    nowhere = torch.zeros(1, 8, 8, 8, dtype=torch.bool)
    targets = Targets(classes, torch.zeros(1, 3, 8, 8, 8), torch.zeros(1, 8, 8, 8), nowhere)
    terms = loss_terms(output, targets, LossWeights()).values()
    assert terms["offset"] == 0.0
    assert terms["level"] == 0.0


@pytest.mark.parametrize("name", ["absent.safetensors", "torn.safetensors", "torn.pt"])
def test_unusable_weights_end_a_command_with_one_line(tmp_path, caplog, name):
    path = tmp_path / name
    if name.startswith("torn"):
        path.write_bytes(b"not weights at all")
    options = ["--first", str(path), "--refiner", str(path), "--out", str(tmp_path / "out")]
    assert bundle.main(options) == 2
    assert name in caplog.messages[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, "steps: [1", "- a list"])
def test_an_unusable_configuration_file_is_named(tmp_path, content):
    path = tmp_path / "run.yaml"
    if content is not None:
        path.write_text(content)
    for read in (read_config, read_fine_config):
        with pytest.raises(InvalidTrainingConfig, match=r"run\.yaml"):
            read(path)


def test_learning_rate_rises_then_falls():
    schedule = Schedule(steps=100, warmup_steps=10, learning_rate=1.0, final_fraction=0.02)
    rates = [learning_rate(schedule, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert max(rates) == max(rates[8:12])
    assert rates[-1] == pytest.approx(0.02)


def test_config_names_the_unknown_key(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("schedule:\n  stepps: 3\n")
    with pytest.raises(InvalidTrainingConfig, match=r"schedule\.stepps"):
        read_config(path)


def test_config_survives_a_checkpoint():
    config = small()
    assert config_from_mapping(dataclasses.asdict(config)) == config


def test_shipped_configs_are_valid():
    import inference.training

    folder = Path(inference.training.__file__).parent
    first, second = ("released.yaml", "smoke.yaml"), ("refiner.yaml", "refiner_smoke.yaml")
    assert {p.name for p in folder.glob("*.yaml")} == {*first, *second}
    assert read_config(folder / "smoke.yaml").sources == {"phantom": 1.0}
    configs = [read_config(folder / name) for name in first]
    configs += [read_fine_config(folder / name) for name in second]
    assert all(sum(config.sources.values()) > 0 for config in configs)


def test_a_missing_label_map_is_named(tmp_path):
    config = small(sources={"verse004": 1.0})
    with pytest.raises(MissingTrainingData, match="verse004_vert_verse"):
        source_mix(config, tmp_path, tmp_path / "cache")
    with pytest.raises(MissingTrainingData, match="data folder"):
        source_mix(config, None, tmp_path / "cache")
    with pytest.raises(InvalidTrainingConfig, match="atlas"):
        source_mix(small(sources={"atlas": 1.0}), tmp_path, tmp_path / "cache")


def test_cases_are_known_by_name(tmp_path):
    with pytest.raises(InvalidTrainingConfig, match="atlas"):
        labelled_case("atlas", tmp_path)
    with pytest.raises(MissingTrainingData, match="data folder"):
        labelled_case("ts_example_ct", None)
    with pytest.raises(MissingTrainingData, match="ts_example_ct"):
        labelled_case("ts_example_ct", tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    export_safetensors(SpineUNet(widths=(4, 8)).state_dict(), path, {})
    with pytest.raises(CheckpointMismatch):
        Trainer(small(), initial_weights(path))


def test_a_state_file_of_something_else_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / STATE)
    with pytest.raises(CheckpointMismatch):
        Checkpoint.load(tmp_path / STATE)


def test_agreement_of_a_perfect_prediction():
    labels = np.zeros((30, 30, 30), dtype=np.uint8)
    labels[5:15, 5:20, 5:20] = 21
    labels[18:25, 5:20, 5:20] = 26
    bodies = np.zeros(labels.shape, dtype=bool)
    bodies[5:15, 5:14, 5:20] = True
    classes = np.where(labels == 26, 3, np.where(bodies, 1, np.where(labels > 0, 2, 0)))
    probabilities = np.moveaxis(np.eye(len(Tissue), dtype=np.float32)[classes], -1, 0)
    level = np.full(labels.shape, 21.4, dtype=np.float32)
    everywhere = np.ones(labels.shape, dtype=bool)
    offsets = np.zeros((3, *labels.shape), np.float32)
    prediction = VoxelPrediction(probabilities, offsets, level, everywhere)
    found = agreement(prediction, labels, bodies, everywhere)
    for name in ("vertebra", "body", "posterior", "sacrum", "precision", "recall"):
        assert found[name] == 1.0
    assert found["level_error"] == pytest.approx(0.4, abs=1e-5)
    assert combined_score([found]) == pytest.approx(0.96, abs=1e-3)


def test_command_line_reports_errors_without_a_traceback(tmp_path, caplog):
    config = tmp_path / "run.yaml"
    config.write_text("sources: {verse004: 1.0}\n")
    with caplog.at_level(logging.ERROR):
        code = main(["--config", str(config), "--out", str(tmp_path / "out")])
    assert code == 2
    assert "data folder" in caplog.text


@pytest.mark.slow
def test_smoke_run_from_the_command_line(tmp_path):
    """The whole road on procedural spines alone: prepare, train, save, examine, export."""
    import inference.training

    folder = Path(inference.training.__file__).parent
    weights = tmp_path / "weights.safetensors"
    command = [sys.executable, "-m", "inference.training", "--config", folder / "smoke.yaml"]
    command += ["--out", tmp_path / "run", "--export", weights]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    SpineUNet().load_state_dict(load_file(weights))


@pytest.mark.slow
def test_smoke_run_of_the_refiner_ends_in_weights_that_load(tmp_path):
    """Scenes from the first network's answers, training, and one file of both networks."""
    import inference.training

    folder = Path(inference.training.__file__).parent
    run = ["--config", folder / "refiner_smoke.yaml", "--first", RELEASED.path, "--out", tmp_path]
    refiner, both = tmp_path / "refiner.safetensors", tmp_path / "both.safetensors"
    bundle = ["--first", RELEASED.path, "--refiner", refiner, "--out", both]
    for tool, arguments in (
        ("fine", [*run, "--scenes-only"]),
        ("fine", [*run, "--init", RELEASED.path, "--export", refiner]),
        ("bundle", bundle),
    ):
        command = [sys.executable, "-m", f"inference.training.{tool}", *arguments]
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(both.read_bytes()).hexdigest()
    assert load_networks(own_weights(both, digest, "smoke")).refiner is not None
