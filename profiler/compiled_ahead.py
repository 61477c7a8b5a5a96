"""Compiling in several processes at once, before anything is measured or packed.

Converters use one core each: torch.export, ExecuTorch's and LiteRT's lowering are Python. Nothing
is measured meanwhile.
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from typing import Any

from ..backends import BackendError
from ..backends.devices import given_device_files
from ..errors import UserError
from ..models.families.foreign.spec import ForeignSpec
from ..progress import OnProgress, no_progress
from ..temporary_folder import TemporaryFolder
from .bundle.manifest import subject_as_json
from .plan import Subject, is_kernels
from .runtimes.child import Child
from .target import Target

COMPILER = "vitprof.profiler.compiler"
# Torch's exporters leave 5 MB of each block and more of each model in memory that is not freed.
POINTS_A_PROCESS = 64
# One thread each: `jobs` is how many cores are used.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@contextmanager
def compiled_ahead(
    subjects: Iterable[Subject],
    target: Target,
    jobs: int,
    *,
    elsewhere: bool = False,
    on_progress: OnProgress = no_progress,
) -> Iterator[Target]:
    """Yield the target with a folder that holds what was compiled, by `jobs` processes at once.

    The folder is the target's own (`Target.keeping`), where what is there already is taken, or a
    temporary one. One job compiles nothing ahead: the target is yielded as it is. What fails in a
    process is left out of the folder, and whoever needs it compiles it again, alone, and says why:
    perhaps two at once took too much memory. Kernels and foreign models are left out too: they are
    made where they are run. `elsewhere`: the device need not be here. Raises UserError where the
    folder cannot be written.
    """
    wanted = [one for one in dict.fromkeys(subjects) if _is_kept(one)]
    jobs = min(jobs, len(wanted))
    if jobs <= 1:
        yield target
        return
    with ExitStack() as stack:
        if target.artifacts is None:
            target = target.keeping(stack.enter_context(TemporaryFolder()))
        _compile(wanted, target, jobs, elsewhere, on_progress)
        yield target


def _is_kept(subject: Subject) -> bool:
    return not isinstance(subject, ForeignSpec) and not is_kernels(subject)


def _compile(
    subjects: list[Subject], target: Target, jobs: int, elsewhere: bool, on_progress: OnProgress
) -> None:
    """Compile all subjects; an error or an interruption ends the processes."""
    assert target.artifacts is not None, "what is compiled ahead lies in a folder"
    request = {
        "setting": target.setting.as_dict(),
        "devices": [str(file.absolute()) for file in given_device_files()],
        "elsewhere": elsewhere,
        "artifacts": str(target.artifacts.folder.absolute()),
    }
    on_progress("compiling", 0, len(subjects), f"{jobs} at once")
    with ThreadPoolExecutor(jobs) as pool, ExitStack() as stack:
        children = [
            stack.enter_context(Child(sys.executable, COMPILER, variables=_ONE_THREAD))
            for _ in range(jobs)
        ]
        idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
        for child in children:
            idle.put(child)
        tasks = [
            pool.submit(_ask, idle, {**request, "subject": subject_as_json(one)})
            for one in subjects
        ]
        try:
            for done, task in enumerate(as_completed(tasks), start=1):
                task.result()
                on_progress("compiling", done, len(tasks), f"{jobs} at once")
        except BaseException:
            _end(tasks, children)
            raise


def _ask(idle: queue.SimpleQueue[Child], request: dict[str, Any]) -> None:
    """Let a process that is idle compile one subject. One that crashed is started again.

    One that has compiled many is renewed, after its answer: `_end` kills no request of the new one.
    Raises UserError where nothing more can be compiled.
    """
    child = idle.get()
    try:
        answer = child.ask("compile", **request)
        if child.answers >= POINTS_A_PROCESS:
            child.renew()
    except BackendError:
        return  # the parent compiles it again and says why it fails
    finally:
        idle.put(child)
    if "stopped" in answer:
        raise UserError(answer["stopped"])


def _end(tasks: Iterable[Future[None]], children: Iterable[Child]) -> None:
    """Begin no further task, and wait for those that have begun, whose processes are killed.

    A process must not be closed while another thread waits for its answer.
    """
    begun = [task for task in tasks if not task.cancel()]
    for child in children:
        child.kill()
    for task in begun:
        task.exception()
