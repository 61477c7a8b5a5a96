"""What `runtimes` and `environments` may be."""

from __future__ import annotations

import pytest
from vitprof.errors import UserError
from vitprof.profiler.runtimes.candidate import Candidate, Way, checked_environments, ways_of


def test_all_is_none_and_names_may_have_a_provider() -> None:
    assert ways_of("all") is None
    assert ways_of("onnxruntime, torch:compile") == [Way("onnxruntime"), Way("torch", "compile")]
    assert ways_of(["torch"]) == [Way("torch")]


@pytest.mark.parametrize(
    ("runtimes", "words"),
    [
        ("onnxrt", "did you mean 'onnxruntime'"),
        ("", "is empty"),
        ("torch,torch", "twice"),
        ("all,torch", "backend 'all' is not known"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(runtimes: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ways_of(runtimes)


def test_an_environment_is_of_a_known_backend() -> None:
    assert checked_environments({"torch": "/x"}) == {"torch": "/x"}
    with pytest.raises(UserError, match="not a backend"):
        checked_environments({"pytorch": "/x"})


def test_a_candidate_is_named_by_runtime_and_dtype() -> None:
    candidate = Candidate(Way("torch", "compile"), "int8")
    assert candidate.name == "torch:compile, int8"
    setting = candidate.setting(batch=4, threads=2)
    assert (setting.backend, setting.provider, setting.dtype) == ("torch", "compile", "int8")
    assert (setting.batch, setting.threads) == (4, 2)
