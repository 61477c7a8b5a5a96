from __future__ import annotations

import pytest
from vitprof.closing import Closing


class Door(Closing):
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_it_is_closed_at_the_end_of_a_block_whatever_happened() -> None:
    with Door() as door:
        assert door.closed == 0
    assert door.closed == 1
    with pytest.raises(ValueError, match="inside"), Door() as other:
        raise ValueError("inside")
    assert other.closed == 1
