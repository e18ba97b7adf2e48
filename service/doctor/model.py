"""Weights and device."""

from __future__ import annotations

import torch

from inference import ModelUnavailable
from service.config import Config
from service.doctor.result import CheckResult, failed, passed
from service.toolbox import configured_segmenter


def check_model(config: Config) -> CheckResult:
    """Load the weights on the configured device."""
    if config.inference.device == "cuda" and not torch.cuda.is_available():
        built = "" if torch.version.cuda else "; this torch was built without CUDA"
        return failed(
            "model",
            f"inference.device is cuda, and torch sees no GPU{built}",
            "install the NVIDIA driver and the CUDA build of torch, run install-service again so "
            "that the unit shows the devices, or set inference.device: cpu",
        )
    try:
        identity = configured_segmenter(config).identity
    except ModelUnavailable as error:
        fix = "reinstall the program: the weights that came with it are damaged"
        if config.inference.weights is not None:
            fix = "correct inference.weights and inference.weights_sha256, or remove both"
        return failed("model", str(error), fix)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "processor"
    return passed(
        "model",
        f"{identity.name} {identity.version}, sha256 {identity.sha256[:12]}, "
        f"device {config.inference.device} ({device})",
    )
