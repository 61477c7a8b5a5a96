"""The promises of `backends/protocol.py`: what measuring relies on."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ...backends import (
    Backend,
    BackendError,
    BackendOptions,
    ChecksArtifacts,
    Delegated,
    Device,
    DeviceTimed,
    Executable,
    HasHazards,
    PreparesArtifacts,
    TellsPrecision,
    seeded_input,
)
from ...backends.agreement import TOLERANCE, sketches, why_wrong
from ...backends.devices import devices
from ...backends.registry import BackendKind
from ...errors import UserError
from ...models import Block, create_block
from ...promises import (
    Checked,
    Promises,
    UncheckedError,
    demand,
    demand_error,
    demand_sentence,
)
from ..gate import why_too_coarse
from .left_running import Running

# One that is left behind by each session shows as so many.
_SESSIONS_TO_CLOSE = 4
BLOCKS = (
    Block.of("mlp", embed=16, mlp=32, tokens=5),
    Block.of("attention", embed=16, heads=2, qk=8, v=8, tokens=5),
    Block.of("patch_embed", embed=16, in_channels=3, resolution=8, kernel=4, prefix=1),
)


class _CannotRun(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("this module cannot be run")


@dataclass
class BackendCase:
    """A backend under test: its record, and a device that it measures."""

    kind: BackendKind

    @cached_property
    def device(self) -> Device:
        """The first device that it measures here, or else builds for here, or else any."""
        its = [one for one in devices().values() if self.kind.name in one.backends]
        if not its:
            raise UncheckedError("it measures no known device")
        here = [one for one in its if one.why_not_here(self.kind.name) is None]
        buildable = [one for one in its if one.why_no_build_here(self.kind.name) is None]
        return [*here, *buildable, *its][0]

    def fresh(self) -> Backend:
        """Return the backend, made again."""
        return self.kind.create(self.device)

    @cached_property
    def backend(self) -> Backend:
        return self.fresh()

    @cached_property
    def options(self) -> BackendOptions:
        dtype = self.device.dtypes_by(self.kind.name)[0]
        return BackendOptions(dtype=dtype, provider=self.backend.default_provider)

    def module(self, block: Block = BLOCKS[0]) -> tuple[torch.nn.Module, tuple[int, ...]]:
        torch.manual_seed(0)
        return create_block(block), (1, *block.input_shape)

    def built(self, block: Block = BLOCKS[0]) -> bytes:
        """Return the artifact of a block; UncheckedError where nothing is built here."""
        if reason := self.backend.unbuildable():
            raise UncheckedError(reason)
        return self.backend.build(*self.module(block), self.options)

    @cached_property
    def artifact(self) -> bytes:
        """The artifact of the first block, for promises about loading it."""
        try:
            return self.built()
        except UncheckedError:
            raise
        except Exception as error:
            raise UncheckedError("nothing could be built") from error

    def load(self) -> Executable:
        """Return a session of it; UncheckedError where nothing is run here."""
        self.check_runs_here()
        return self.backend.load(self.artifact, self.options)

    def opened(self) -> Executable:
        """Return the same, for promises about a session."""
        self.check_runs_here()
        try:
            return self.load()
        except UncheckedError:
            raise
        except Exception as error:
            raise UncheckedError("nothing could be loaded") from error

    def check_runs_here(self) -> None:
        reason = self.device.why_not_here(self.kind.name)
        if reason is not None:
            raise UncheckedError(reason)


PROMISES: Promises[BackendCase] = Promises()


def check_backend(kind: BackendKind) -> Iterator[Checked]:
    """Check every promise of a backend."""
    return PROMISES.checked(BackendCase(kind))


@PROMISES("it measures some known device")
def _(case: BackendCase) -> None:
    demand(
        any(case.kind.name in device.backends for device in devices().values()),
        "no device names it, and its dtypes_on is empty for each",
    )


@PROMISES("it has all that a Backend has")
def _(case: BackendCase) -> None:
    members = [name for name in vars(Backend) if not name.startswith("_")]
    members += list(Backend.__annotations__)
    lacking = [name for name in members if not hasattr(case.backend, name)]
    demand(not lacking, f"it lacks {', '.join(lacking)}")


@PROMISES("it has the name of its record, and a default provider")
def _(case: BackendCase) -> None:
    name, provider = case.backend.name, case.backend.default_provider
    demand(name == case.kind.name, f"its name is '{name}' and its record's '{case.kind.name}'")
    demand(isinstance(provider, str) and provider, f"default_provider is {provider!r:.80}")


@PROMISES("unavailable() and unbuildable() answer None or one sentence")
def _(case: BackendCase) -> None:
    demand_sentence(case.backend.unavailable(), "unavailable()")
    demand_sentence(case.backend.unbuildable(), "unbuildable()")


@PROMISES("trouble() answers None or one sentence")
def _(case: BackendCase) -> None:
    demand_sentence(case.backend.trouble(), "trouble()")


@PROMISES("hazard(), where it has one, answers None or one sentence")
def _(case: BackendCase) -> None:
    backend = case.backend
    if not isinstance(backend, HasHazards):
        return
    for dtype in TOLERANCE:
        options = BackendOptions(dtype=dtype, provider=case.options.provider)
        demand_sentence(backend.hazard(options), f"hazard() in {dtype}")


@PROMISES("check() takes the default provider and the device's first dtype")
def _(case: BackendCase) -> None:
    if reason := case.backend.unavailable() or case.backend.unbuildable():
        raise UncheckedError(reason)
    case.backend.check(case.options)


@PROMISES("check() refuses an unknown provider by a UserError")
def _(case: BackendCase) -> None:
    options = BackendOptions(dtype=case.options.dtype, provider="no-such-provider")
    demand_error(UserError, lambda: case.backend.check(options), "an unknown provider")


@PROMISES("check() takes or refuses every other option, by a UserError")
def _(case: BackendCase) -> None:
    dtype, provider = case.options.dtype, case.options.provider
    for options in (
        BackendOptions(threads=2, dtype=dtype, provider=provider),
        BackendOptions(dtype=dtype, provider=provider, sparsity="2:4"),
        BackendOptions(dtype=dtype, provider=provider, cache="cold"),
        BackendOptions(dtype=dtype, provider=provider, graph="cuda_graph"),
        *(BackendOptions(dtype=one, provider=provider) for one in TOLERANCE),
    ):
        try:
            case.backend.check(options)
        except UserError:
            continue


@PROMISES("environment() is JSON, and the same when asked again")
def _(case: BackendCase) -> None:
    if reason := case.backend.unavailable():
        raise UncheckedError(reason)
    environment = case.backend.environment(case.options)
    demand(isinstance(environment, dict) and environment, "it is not a dict with something in it")
    demand(json.loads(json.dumps(environment)) == environment, "JSON does not give it back")
    demand(case.backend.environment(case.options) == environment, "it is another the second time")


@PROMISES("an artifact is bytes, and not empty")
def _(case: BackendCase) -> None:
    artifact = case.built()
    demand(isinstance(artifact, bytes) and artifact, f"it is {type(artifact).__name__}")


@PROMISES("building leaves the module as it is")
def _(case: BackendCase) -> None:
    _ = case.artifact
    module, shape = case.module()
    before = copy.deepcopy(module.state_dict())
    kept = (module.training, [p.requires_grad for p in module.parameters()])
    case.backend.build(module, shape, case.options)
    after = module.state_dict()
    same = before.keys() == after.keys() and all(
        before[name].dtype == after[name].dtype and torch.equal(before[name], after[name])
        for name in before
    )
    demand(same, "its weights are others afterwards")
    now = (module.training, [p.requires_grad for p in module.parameters()])
    demand(now == kept, "its mode, or what of it is trained, is another afterwards")


@PROMISES("what cannot be built is a BackendError")
def _(case: BackendCase) -> None:
    _ = case.artifact
    demand_error(
        BackendError,
        lambda: case.backend.build(_CannotRun(), (1, 4), case.options),
        "building what cannot be run",
    )


@PROMISES("an artifact is loaded by a backend that did not build it")
def _(case: BackendCase) -> None:
    case.check_runs_here()
    with closing(case.fresh().load(bytes(case.artifact), case.options)) as executable:
        executable.run()


@PROMISES("a session has all that an Executable has")
def _(case: BackendCase) -> None:
    with closing(case.load()) as executable:
        demand(isinstance(executable, Executable), "it lacks run, outputs, close or the with block")


@PROMISES("its outputs are those of the module")
def _(case: BackendCase) -> None:
    _ = case.artifact
    case.check_runs_here()
    for block in BLOCKS:
        module, shape = case.module(block)
        with torch.inference_mode():
            exact = module(torch.from_numpy(seeded_input(shape))).numpy()
        artifact = case.backend.build(module, shape, case.options)
        with case.backend.load(artifact, case.options) as executable:
            executable.run()
            outputs = executable.outputs()
        wrong = why_wrong(outputs, sketches([exact]), case.options.dtype)
        demand(wrong is None, f"of {block}, {wrong}")


@PROMISES("every run gives the same outputs")
def _(case: BackendCase) -> None:
    with case.opened() as executable:
        executable.run()
        first = executable.outputs()
        executable.run()
        demand(_equal(first, executable.outputs()), "the second run's are others")


@PROMISES("outputs() are copies")
def _(case: BackendCase) -> None:
    with case.opened() as executable:
        executable.run()
        first = executable.outputs()
        kept = [output.copy() for output in first]
        for output in first:
            output[...] = 0
        demand(_equal(kept, executable.outputs()), "what was changed in them is changed in others")


@PROMISES("sessions know nothing of each other")
def _(case: BackendCase) -> None:
    with case.opened() as one:
        with case.opened() as other:
            other.run()
            expected = other.outputs()
        one.run()
        demand(_equal(expected, one.outputs()), "one gives other outputs, the other being closed")


@PROMISES("every session is a new one")
def _(case: BackendCase) -> None:
    with case.opened() as other:
        one = case.opened()
        one.close()
        demand(one is not other, "load() gives the same session twice")
        other.run()


@PROMISES("a closed session leaves no thread and no process running")
def _(case: BackendCase) -> None:
    _open_and_close(case)  # what a runtime keeps for good, such as a pool, it makes now
    before = Running.now()
    for _nth in range(_SESSIONS_TO_CLOSE):
        _open_and_close(case)
    left = before.left_behind()
    demand(left is None, f"{_SESSIONS_TO_CLOSE} sessions were closed, and {left}")


def _open_and_close(case: BackendCase) -> None:
    with case.opened() as executable:
        executable.run()


@PROMISES("a second close() does nothing")
def _(case: BackendCase) -> None:
    executable = case.opened()
    executable.close()
    executable.close()


@PROMISES("run() after close() is a BackendError")
def _(case: BackendCase) -> None:
    executable = case.opened()
    executable.close()
    demand_error(BackendError, executable.run, "run() after close()")


@PROMISES("the with block closes the session")
def _(case: BackendCase) -> None:
    with case.opened() as executable:
        pass
    demand_error(BackendError, executable.run, "run() behind the with block")


@PROMISES("what is not an artifact is refused by a BackendError")
def _(case: BackendCase) -> None:
    case.check_runs_here()
    half = case.artifact[: len(case.artifact) // 2]
    for what, artifact in (
        ("nothing", b""),
        ("garbage", b"\x00garbage\xff" * 9),
        ("half an artifact", half),
    ):
        load = functools.partial(case.backend.load, artifact, case.options)
        demand_error(BackendError, load, f"loading {what}")


@PROMISES("check_artifact(), where it has one, takes its own and refuses garbage")
def _(case: BackendCase) -> None:
    backend = case.backend
    if not isinstance(backend, ChecksArtifacts):
        return
    backend.check_artifact(case.artifact)
    garbage = b"\x00garbage\xff" * 9
    demand_error(BackendError, lambda: backend.check_artifact(garbage), "checking garbage")


@PROMISES("prepare(), where it has one, gives what loads and computes the same")
def _(case: BackendCase) -> None:
    backend = case.backend
    if not isinstance(backend, PreparesArtifacts):
        return
    _ = case.artifact
    case.check_runs_here()
    for block in BLOCKS:
        artifact = case.built(block)
        prepared = backend.prepare(artifact, case.options)
        demand(isinstance(prepared, bytes) and prepared, f"it gives {type(prepared).__name__}")
        outputs = []
        for one in (artifact, prepared):
            with backend.load(one, case.options) as executable:
                executable.run()
                outputs.append(executable.outputs())
        demand(_equal(*outputs), f"of {block}, it computes something else")


@PROMISES("delegated_share(), where it has one, is a share from 0 to 1")
def _(case: BackendCase) -> None:
    with case.opened() as executable:
        executable.run()
        if isinstance(executable, Delegated):
            share = executable.delegated_share()
            demand(isinstance(share, float) and 0 <= share <= 1, f"it is {share!r:.40}")


@PROMISES("effective_dtype(), where it has one, is as exact as what was asked for")
def _(case: BackendCase) -> None:
    with case.opened() as executable:
        executable.run()
        if isinstance(executable, TellsPrecision):
            precision = executable.effective_dtype()
            demand(isinstance(precision, str) and precision, f"it is {precision!r:.40}")
            coarse = why_too_coarse(case.options.dtype, precision)
            demand(coarse is None, f"{coarse}")


@PROMISES("device_ms(), where it has one, is a time above 0")
def _(case: BackendCase) -> None:
    with case.opened() as executable:
        executable.run()
        if isinstance(executable, DeviceTimed):
            ms = executable.device_ms()
            demand(isinstance(ms, float) and 0 < ms < 1e6, f"it is {ms!r:.40}")


def _equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))
