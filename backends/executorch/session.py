"""An ExecuTorch program as an Executable, with its input bound beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...closing import Closing
from ..protocol import BackendError
from ..random_input import seeded_input
from .native_words import NativeWords, native_words
from .pool import keep, let_go, runtime, set_threads
from .pte import read_pte

if TYPE_CHECKING:
    import numpy as np

_METHOD = "forward"
# Lines of the runtime's log that tell of an error have one of these.
_OF_ERRORS = ("error", "failed", "not found")
# ScalarType of executorch/runtime/core/portable_type -> what `seeded_input` calls it.
_INPUTS = {6: "fp32", 4: "int64", 3: "int32"}


class ExecuTorchExecutable(Closing):
    """One method of one program; alive from construction to `close()`.

    `run()` executes the method and nothing else: the input is in memory of its own, which the
    program does not write to, and outputs are not copied.
    """

    def __init__(self, artifact: bytes, threads: int = 1) -> None:
        """Check and load a program; raises BackendError with the runtime's words."""
        self._pte = read_pte(artifact)
        self._threads = threads
        # The runtime reads the program where it lies, for as long as the session lives.
        self._artifact: bytes | None = artifact
        self._program: Any = None
        self._method: Any = None
        self._input: Any = None
        words = NativeWords()
        try:
            with native_words() as words:
                set_threads(threads)
                self._load()
        except BackendError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise BackendError.because(
                "loading the program into ExecuTorch", self._explained(error, words)
            ) from error
        keep(self)

    def run(self) -> None:
        """Run the method once on its bound input. Raises BackendError."""
        try:
            self._method.execute()
        except Exception as error:
            if self._method is None:
                raise _closed() from None
            raise BackendError.because("running the program", error) from error

    def outputs(self) -> list[np.ndarray]:
        """Return copies of what the last run computed."""
        if self._method is None:
            raise _closed()
        return [output.numpy().copy() for output in self._method.get_outputs()]

    def computed(self, values: np.ndarray) -> list[np.ndarray]:
        """Return what the program computes of `values`, which stay bound to its input.

        Raises BackendError, also for values of another shape.
        """
        import torch

        if self._method is None:
            raise _closed()
        # The method reads them where they lie.
        self._input = torch.from_numpy(values)
        try:
            self._method.set_inputs((self._input,))
        except Exception as error:
            raise BackendError.because("binding the input", error) from error
        self.run()
        return self.outputs()

    def delegated_share(self) -> float:
        """Return which share of the operators XNNPACK runs, from 0 to 1.

        Counted in the program itself: nodes of XNNPACK's graphs, against them and the calls of
        the runtime's own kernels. Changes of shape count like any other.
        """
        return self._pte.delegated_share

    def own_kernels(self) -> tuple[str, ...]:
        """Return the operators that XNNPACK does not run, in the order they are called in."""
        return self._pte.kernels

    def close(self) -> None:
        self._method = None
        self._program = None
        self._input = None
        self._artifact = None
        let_go(self)

    def _explained(self, error: Exception, words: NativeWords) -> Exception:
        """Return the error with its reason: a kernel that is not there, or else the runtime's log.

        The log alone would not do: where it is written to is for others to say.
        """
        there = set(runtime()._get_operator_names())
        lacking = [operator for operator in self._pte.operators if operator not in there]
        if lacking:
            named = ", ".join(lacking)
            return RuntimeError(f"{error} This ExecuTorch has no kernel for {named}.")
        return _with(words, error)

    def _load(self) -> None:
        import torch

        pool = runtime()
        self._program = pool._load_program_from_buffer(self._artifact)
        method = self._program.load_method(_METHOD)
        meta = method.method_meta()
        if meta.num_inputs() != 1:
            raise BackendError(f"this program takes {meta.num_inputs()} inputs and not one.")
        info = meta.input_tensor_meta(0)
        if info.is_memory_planned():
            # It may write over its input: only the first run would compute what it should.
            raise BackendError(
                "this program keeps its input in memory that it uses again; export it with "
                "MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)."
            )
        kind = _INPUTS.get(int(info.dtype()))
        if kind is None:
            raise BackendError(f"this program's input has the ScalarType {info.dtype()}.")
        self._input = torch.from_numpy(seeded_input(tuple(info.sizes()), kind))
        method.set_inputs((self._input,))
        method.execute()
        self._method = method


def _with(words: NativeWords, error: Exception) -> Exception:
    """Return the error with what native code printed about it before."""
    # A line of the log begins with its place in the source: "[method.cpp:822] ".
    lines = (line.partition("] ")[2] for line in words.text.splitlines() if "cpuinfo" not in line)
    error_lines = dict.fromkeys(line for line in lines if any(map(line.lower().count, _OF_ERRORS)))
    first_lines = list(error_lines)[:3]
    return RuntimeError(" ".join([str(error), *first_lines]))


def _closed() -> BackendError:
    return BackendError("this executable is closed; load the artifact again.")
