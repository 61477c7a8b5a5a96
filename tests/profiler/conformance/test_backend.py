"""The suite of a backend: a toy that keeps every promise, and one that breaks each."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from vitprof.backends import BackendError, BackendOptions, OnnxRuntimeBackend
from vitprof.backends.registry import BUILT_IN, BackendKind
from vitprof.profiler.conformance.backend import PROMISES, check_backend

pytestmark = pytest.mark.slow

# Set by nobody.
ENDLESS = threading.Event()
PROMISE_TEXTS = list(PROMISES._checks)


class Toy(OnnxRuntimeBackend):
    """Keeps every promise, as its base does."""

    name = "toy"


class Session:
    """A session of the toy's that others change."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self) -> None:
        self.real.run()

    def outputs(self) -> list[np.ndarray]:
        return self.real.outputs()

    def close(self) -> None:
        self.real.close()


def of_sessions(change: type[Session]) -> type[Toy]:
    """Return a toy whose sessions are changed."""

    class Changed(Toy):
        def load(self, artifact: bytes, options: BackendOptions) -> Any:
            return change(super().load(artifact, options))

    return Changed


def of_method(name: str, method: Callable[..., Any]) -> type[Toy]:
    """Return a toy with another method; it gets what the real one is as `real`."""
    real = getattr(Toy, name)
    return type("Changed", (Toy,), {name: lambda self, *given: method(self, real, *given)})


def raising(error: Exception) -> Callable[..., Any]:
    def method(*_: object) -> Any:
        raise error

    return method


def train_it(self: Toy, real: Any, module: torch.nn.Module, *rest: Any) -> bytes:
    artifact = real(self, module, *rest)
    with torch.no_grad():
        next(module.parameters()).add_(1)
    return artifact


def anything_goes(self: Toy, real: Any, options: BackendOptions) -> None:
    if options.provider == self.default_provider:
        real(self, options)


def no_artifact_is_refused(self: Toy, real: Any, artifact: bytes, options: Any) -> Any:
    try:
        return real(self, artifact, options)
    except BackendError:
        return Session(SimpleNamespace(run=list, outputs=list, close=list))


class Negated(Session):
    def outputs(self) -> list[np.ndarray]:
        return [-output for output in super().outputs()]


class Noisy(Session):
    def outputs(self) -> list[np.ndarray]:
        return [out + np.float32(1e-5 * random.random()) for out in super().outputs()]


class Shared(Session):
    """Gives its own arrays away."""

    kept: list[np.ndarray] | None = None

    def outputs(self) -> list[np.ndarray]:
        self.kept = self.kept if self.kept is not None else super().outputs()
        return self.kept


class Entangled(Session):
    """Gives zeros once another session has been closed."""

    closed = 0

    def __init__(self, real: Any) -> None:
        super().__init__(real)
        self.since = Entangled.closed

    def outputs(self) -> list[np.ndarray]:
        return [0 * out if Entangled.closed > self.since else out for out in super().outputs()]

    def close(self) -> None:
        Entangled.closed += 1
        super().close()


class ClosesOnce(Session):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise ValueError("it is closed already")
        self.closed = True
        super().close()


class RunsOn(Session):
    """Does not close: the with block does."""

    def __exit__(self, *_: object) -> None:
        self.real.close()

    def close(self) -> None:
        pass


class StaysOpen(Session):
    def __exit__(self, *_: object) -> None:
        pass


class Timed(Session):
    def device_ms(self) -> float:
        return -1.0


class Overdelegated(Session):
    def delegated_share(self) -> float:
        return 1.5


class InBf16(Session):
    def effective_dtype(self) -> str:
        return "bf16"


class RunsOnAlone(Session):
    """Starts a thread that no close() ends."""

    def __init__(self, real: Any) -> None:
        super().__init__(real)
        threading.Thread(target=ENDLESS.wait, daemon=True).start()


class TheSame(Toy):
    """Gives its one session of an artifact as often as it is asked for one."""

    def load(self, artifact: bytes, options: BackendOptions) -> Any:
        known = self.__dict__.setdefault("sessions", {})
        if artifact not in known:
            known[artifact] = super().load(artifact, options)
        return known[artifact]


class WithoutOutputs:
    def __init__(self, real: Any) -> None:
        self.run, self.close = real.run, real.close
        self.real = real


def only_its_own(self: Toy, real: Any, artifact: bytes, options: Any) -> Any:
    if artifact not in self.__dict__.get("own", ()):
        raise BackendError("it was built by another")
    return real(self, artifact, options)


def remembering(self: Toy, real: Any, *given: Any) -> bytes:
    artifact = real(self, *given)
    self.__dict__.setdefault("own", set()).add(artifact)
    return artifact


class OnlyItsOwn(Toy):
    def build(self, *given: Any) -> bytes:
        return remembering(self, OnnxRuntimeBackend.build, *given)

    def prepare(self, *given: Any) -> bytes:
        return remembering(self, OnnxRuntimeBackend.prepare, *given)

    def load(self, *given: Any) -> Any:
        return only_its_own(self, OnnxRuntimeBackend.load, *given)


class Lacking:
    """Everything but trouble()."""

    name, default_provider = "toy", Toy.default_provider

    def __getattr__(self, name: str) -> Any:
        if name == "trouble":
            raise AttributeError(name)
        return getattr(Toy(), name)


class PreparesAnother(Toy):
    """Prepares the same network with other weights."""

    def prepare(self, artifact: bytes, options: BackendOptions) -> bytes:
        import onnx

        model = onnx.load_model_from_string(artifact)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                halved = onnx.numpy_helper.to_array(tensor) / 2
                tensor.CopyFrom(onnx.numpy_helper.from_array(halved, tensor.name))
        return model.SerializeToString()


asked: list[int] = []


def another_each_time(self: Toy, real: Any, options: BackendOptions) -> dict[str, object]:
    asked.append(1)
    return real(self, options) | {"asked": len(asked)}


# A promise, and the toys that break it alone (or what else they break).
BREAKING: dict[str, tuple[Any, set[str]]] = {
    "it measures some known device": (None, {"*"}),
    "it has all that a Backend has": (
        Lacking,
        {"trouble() answers None or one sentence"},
    ),
    "it has the name of its record, and a default provider": (
        type("Other", (Toy,), {"name": "other"}),
        set(),
    ),
    "unavailable() and unbuildable() answer None or one sentence": (
        of_method("unbuildable", lambda self, real: ""),
        set(),
    ),
    "trouble() answers None or one sentence": (
        of_method("trouble", lambda self, real: "two\nlines"),
        set(),
    ),
    "hazard(), where it has one, answers None or one sentence": (
        type("TwoLines", (Toy,), {"hazard": lambda self, options: "two\nlines"}),
        set(),
    ),
    "check() takes the default provider and the device's first dtype": (
        type("Other", (Toy,), {"default_provider": "NoProvider"}),
        {"*"},
    ),
    "check() refuses an unknown provider by a UserError": (
        of_method("check", anything_goes),
        set(),
    ),
    "check() takes or refuses every other option, by a UserError": (
        of_method("check", lambda self, real, o: {"dense": 1}[o.sparsity] and real(self, o)),
        set(),
    ),
    "environment() is JSON, and the same when asked again": (
        of_method("environment", another_each_time),
        set(),
    ),
    "an artifact is bytes, and not empty": (
        of_method("build", lambda self, real, *given: bytearray(real(self, *given))),
        {"*"},
    ),
    "building leaves the module as it is": (of_method("build", train_it), {"*"}),
    "what cannot be built is a BackendError": (
        of_method(
            "build",
            lambda self, real, m, *rest: (
                real(self, m, *rest) if "Cannot" not in type(m).__name__ else b"x"
            ),
        ),
        set(),
    ),
    "an artifact is loaded by a backend that did not build it": (OnlyItsOwn, set()),
    "a session has all that an Executable has": (of_sessions(WithoutOutputs), {"*"}),
    "its outputs are those of the module": (of_sessions(Negated), set()),
    "every run gives the same outputs": (
        of_sessions(Noisy),
        {
            "outputs() are copies",
            "sessions know nothing of each other",
            "prepare(), where it has one, gives what loads and computes the same",
        },
    ),
    "outputs() are copies": (of_sessions(Shared), set()),
    "sessions know nothing of each other": (of_sessions(Entangled), set()),
    "every session is a new one": (TheSame, {"*"}),
    "a closed session leaves no thread and no process running": (of_sessions(RunsOnAlone), set()),
    "a second close() does nothing": (of_sessions(ClosesOnce), set()),
    "run() after close() is a BackendError": (of_sessions(RunsOn), set()),
    "the with block closes the session": (of_sessions(StaysOpen), set()),
    "what is not an artifact is refused by a BackendError": (
        of_method("load", no_artifact_is_refused),
        set(),
    ),
    "check_artifact(), where it has one, takes its own and refuses garbage": (
        of_method("check_artifact", lambda *_: None),
        set(),
    ),
    "prepare(), where it has one, gives what loads and computes the same": (
        PreparesAnother,
        set(),
    ),
    "delegated_share(), where it has one, is a share from 0 to 1": (
        of_sessions(Overdelegated),
        set(),
    ),
    "effective_dtype(), where it has one, is as exact as what was asked for": (
        of_sessions(InBf16),
        set(),
    ),
    "device_ms(), where it has one, is a time above 0": (of_sessions(Timed), set()),
}


@pytest.fixture
def record(install_wheel: Callable[..., None]) -> Callable[[Any], BackendKind]:
    """Return the record of a backend, under which the device cpu finds it too."""
    from vitprof.backends import registry

    install_wheel(
        "toy",
        {"vitprof.backends": {"toy": "toy_backend:TOY"}},
        toy_backend="from vitprof.backends.registry import BackendKind\n"
        "made = []\n"
        "TOY = BackendKind('toy', 'Toy', lambda device: made[-1](),\n"
        "                  lambda device: ('fp32',) if device.name == 'cpu' and made else ())\n",
    )

    def of(backend: Any) -> BackendKind:
        kind = registry.backend_kind("toy")
        import toy_backend  # type: ignore[import-not-found]

        toy_backend.made[:] = [backend] if backend is not None else []
        return kind

    return of


def test_every_promise_can_be_broken() -> None:
    assert list(BREAKING) == PROMISE_TEXTS


@pytest.mark.parametrize("name", ["onnxruntime"])
def test_our_own_keeps_every_promise(name: str) -> None:
    assert [one for one in check_backend(BUILT_IN[name]) if one.answer != "ok"] == []


def test_a_toy_keeps_every_promise(record: Callable[[Any], BackendKind]) -> None:
    checked = list(check_backend(record(Toy)))
    assert [one for one in checked if one.answer != "ok"] == []
    assert [one.promise for one in checked] == PROMISE_TEXTS


@pytest.mark.parametrize("promise", BREAKING)
def test_one_that_breaks_a_promise_is_told_which_and_why(
    promise: str, record: Callable[[Any], BackendKind]
) -> None:
    backend, also = BREAKING[promise]
    checked = {one.promise: one for one in check_backend(record(backend))}
    assert checked[promise].answer == "broken"
    assert checked[promise].why
    broken = {one.promise for one in checked.values() if one.answer == "broken"}
    if also != {"*"}:
        assert broken == {promise, *also}


def test_what_cannot_run_here_is_not_called_broken() -> None:
    answers = {one.answer for one in check_backend(BUILT_IN["cuda"]) if "run" in one.promise}
    assert answers <= {"ok", "not checked"}
