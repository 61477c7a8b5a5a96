from typing import Any

import pytest
from vitprof import UserError
from vitprof.backends import BackendError, BackendOptions, OnnxRuntimeBackend
from vitprof.backends.protocol import Backend


@pytest.mark.parametrize("threads", [0, -1, 1025, 1.0, True, "2"])
def test_thread_counts_that_make_no_sense_are_refused(threads: Any) -> None:
    with pytest.raises(UserError, match=r"threads=.* 1 to 1024"):
        BackendOptions(threads=threads)


@pytest.mark.parametrize("threads", [1, 1024])
def test_the_ends_of_the_thread_range_are_taken(threads: int) -> None:
    assert BackendOptions(threads=threads).threads == threads


def test_unknown_dtype_and_optimization_are_refused() -> None:
    with pytest.raises(UserError, match=r"'fp8'.* fp32, fp16"):
        BackendOptions(dtype="fp8")
    with pytest.raises(UserError, match="did you mean 'extended'"):
        BackendOptions(optimization="extendet")


def test_options_are_hashable_so_they_can_be_part_of_a_key() -> None:
    assert len({BackendOptions(), BackendOptions(), BackendOptions(threads=2)}) == 2


def test_onnxruntime_is_a_backend() -> None:
    assert isinstance(OnnxRuntimeBackend(), Backend)


def test_a_backend_error_is_one_line_with_the_runtimes_words_and_no_user_error() -> None:
    error = BackendError.because("loading", ValueError("first line\n  second line\n"))
    assert str(error) == "loading failed: first line second line"
    assert isinstance(error, RuntimeError)
    assert not isinstance(error, UserError)


def test_an_error_without_words_gives_its_type() -> None:
    assert str(BackendError.because("running", MemoryError())) == "running failed: MemoryError"


@pytest.mark.parametrize(("name", "value"), [("sparsity", "1:2"), ("cache", "hot"), ("graph", "x")])
def test_unknown_ways_of_running_are_refused(name: str, value: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(UserError, match=rf"{name} '{value}' is not known; it must be .* or "):
        BackendOptions(**given)


@pytest.mark.parametrize(
    ("name", "value"), [("sparsity", "2:4"), ("cache", "cold"), ("graph", "cuda_graph")]
)
def test_a_runtime_refuses_what_it_does_not_have(name: str, value: str) -> None:
    given: dict[str, Any] = {name: value}
    has: dict[str, Any] = {name: (value,)}
    with pytest.raises(UserError, match=rf"Some runtime has no {name} '{value}'; omit `{name}`"):
        BackendOptions(**given).check_only("Some runtime")
    BackendOptions(**given).check_only("Some runtime", **has)
    with pytest.raises(UserError, match=f"ONNX Runtime has no {name}"):
        OnnxRuntimeBackend().check(BackendOptions(**given))
