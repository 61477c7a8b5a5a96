"""The trained ViT in examples: whole, of the size that is stated, and its answers as they were."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
import vitprof
from vitprof.training.model_folder import read_normalisation

FOLDER = Path(__file__).parents[2] / "examples" / "vit-cifar10"
MOST_BYTES = 6_000_000


def test_its_weights_are_those_whose_checksum_is_stated() -> None:
    weights = (FOLDER / "model.safetensors").read_bytes()
    assert len(weights) <= MOST_BYTES
    assert hashlib.sha256(weights).hexdigest() in (FOLDER / "README.md").read_text()


def test_it_answers_as_it_did_when_it_was_kept() -> None:
    model = vitprof.create_model(FOLDER, checkpoint=FOLDER).eval()
    assert sum(p.numel() for p in model.parameters()) == model.spec.params == 2_693_578
    assert all(p.dtype == torch.float32 for p in model.parameters())
    norm = read_normalisation(FOLDER)
    assert norm is not None
    with torch.no_grad():
        logits = model(probes(norm.mean, norm.std))
    expected = torch.tensor(json.loads((FOLDER / "logits.json").read_text()))
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)
    assert len(set(logits.argmax(dim=1).tolist())) > 1


def probes(mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """Return four images of 32 x 32, normalised: a ramp of each colour, and of all three."""
    ramp = torch.linspace(0, 1, 32).expand(32, 32)
    images = torch.zeros(4, 3, 32, 32)
    for colour in range(3):
        images[colour, colour] = ramp
    images[3] = ramp.T
    return (images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
