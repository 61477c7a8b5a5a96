"""How a batch is shared by several processes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.training.processes import ONE_PROCESS, Processes


@given(st.integers(1, 6), st.integers(1, 6))
def test_shares_are_pairs_and_together_the_batch(count: int, pairs: int) -> None:
    """Place k is with place n - 1 - k, in the place that mixing looks for it."""
    batch = 2 * count * pairs
    shares = [Processes(rank, count).members_of(batch) for rank in range(count)]
    assert sorted(torch.cat(shares).tolist()) == list(range(batch))
    for share in shares:
        assert len(share) == 2 * pairs
        assert share.flip(0).equal(batch - 1 - share)


def test_a_batch_is_shared_in_pairs() -> None:
    Processes(0, 3).check_batch(12)
    ONE_PROCESS.check_batch(7)
    with pytest.raises(UserError, match=r"a batch of 9 cannot be shared by 3 processes; .* 6"):
        Processes(0, 3).check_batch(9)
