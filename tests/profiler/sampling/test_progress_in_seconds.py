"""Progress never goes back, never passes the total, and is complete only at the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from vitprof.profiler.sampling.progress_in_seconds import ProgressInSeconds


@given(st.floats(0, 1e5), st.lists(st.floats(0, 1)))
def test_shares_become_seconds(estimated_s: float, shares: list[float]) -> None:
    told: list[tuple[str, int, int, str]] = []
    progress = ProgressInSeconds(lambda *said: told.append(said), "validating", estimated_s)
    for share in shares:
        progress.tell(share, "more")
    progress.finish("all")
    done = [said[1] for said in told]
    assert {said[2] for said in told} == {progress.total}
    assert estimated_s <= progress.total < estimated_s + 2
    assert done == sorted(done)
    assert told[-1] == ("validating", progress.total, progress.total, "all")
    assert all(0 <= one < progress.total for one in done[:-1])


def test_half_of_the_work_is_half_of_the_seconds() -> None:
    told: list[tuple[str, int, int, str]] = []
    progress = ProgressInSeconds(lambda *said: told.append(said), "validating", 240.0)
    progress.tell(0.5, "2 rounds")
    assert told == [("validating", 120, 240, "2 rounds")]
