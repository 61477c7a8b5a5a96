"""Stochastic depth as timm has it: the same rates, and the same outputs where the same is skipped.

Not collected with the other tests: `make test-timm` runs it in an environment that has timm.
"""

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import DropPath
from vitprof.models import create_model
from vitprof.models.timm_names import timm_spec
from vitprof.training.stochastic_depth import depth_rates, with_stochastic_depth

RATE = 0.3


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_rates_and_outputs_are_timms(name: str, tmp_path, monkeypatch) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(name, drop_path_rate=RATE).train()
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = create_model(timm_spec(name), tmp_path / "model.safetensors")
    drops = [module for module in theirs.modules() if isinstance(module, DropPath)]
    rates = [drop.drop_prob for drop in drops]
    drawn = torch.rand(len(rates), 3, generator=torch.Generator().manual_seed(1))
    ours = with_stochastic_depth(ours, RATE, lambda branches, images: drawn).train()
    assert list(depth_rates(ours).values()) == pytest.approx(rates, abs=1e-6)

    # timm draws 1 with the probability of what is kept; it gets the same numbers to draw by.
    rows = iter(drawn)

    def bernoulli(tensor: torch.Tensor, keep: float) -> torch.Tensor:
        return tensor.copy_((next(rows) >= 1 - keep).reshape(tensor.shape))

    monkeypatch.setattr(torch.Tensor, "bernoulli_", bernoulli)
    images = torch.randn(3, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-4, rtol=1e-3)
    assert next(rows, None) is None
