"""How far a CNN's maps are from the unpruned model's."""

from __future__ import annotations

import torch
from vitprof.compress.optin.channels import MeanSquares


def test_the_error_of_a_map_is_the_mean_square_of_averages() -> None:
    full = torch.tensor([[[1.0, 2.0]], [[3.0, 6.0]]])  # images x channels x places: averages 2, 4
    variants = torch.stack([full, full + 1, full * torch.tensor([1.0, 0.0])])
    torch.testing.assert_close(MeanSquares(full).errors(variants), torch.tensor([0.0, 1.0, 8.0]))
    # What one image has more and another less is not an error.
    swapped = full.flip(0)[None]
    torch.testing.assert_close(MeanSquares(full).errors(swapped), torch.zeros(1))
