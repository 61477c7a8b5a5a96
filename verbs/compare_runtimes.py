"""`vitprof.compare_runtimes`: which runtime to take for a model on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from ..backends import BackendError
from ..errors import UserError, did_you_mean
from ..progress import ProgressOption, shown_progress
from ..temporary_folder import TemporaryFolder, write_named
from .inputs import Path, Shapes, fetched, specs_of

if TYPE_CHECKING:
    from ..models import Spec
    from ..profiler.runtimes.candidate import Candidate, Way
    from ..profiler.runtimes.child import Child
    from ..profiler.runtimes.measure import AskedModel
    from ..profiler.runtimes.result import RuntimeComparison


def compare_runtimes(
    models: Path | Spec | Sequence[Path | Spec],
    runtimes: str | Sequence[str] = "all",
    *,
    dtype: str | Sequence[str] = "fp32",
    batch: int = 1,
    threads: int = 1,
    sessions: int = 5,
    environments: Mapping[str, str] | None = None,
    artifacts: str | os.PathLike[str] | None = None,
    facts: str | os.PathLike[str] | None = None,
    shapes: Shapes | None = None,
    download: bool = False,
    progress: ProgressOption = False,
) -> RuntimeComparison:
    """Run models by every runtime of this machine's CPU, and say which one to take.

    Each runtime is in a process of its own, and they run in turns: a model by all of them, then the
    next. Outputs are compared with the torch module's before a time is shown.

    Args:
        models: One or several: names, spec files, folders, foreign models or Specs.
        runtimes: "all" that are here, or backends' names, each with a provider where it is not the
            default: ["onnxruntime", "torch:compile"].
        dtype: fp32, int8, …; several for each runtime that has them. "openvino=int8-static" is for
            one runtime alone.
        batch: Images a run.
        threads: Each runtime's threads.
        sessions: Fresh sessions of each; the median of their medians counts.
        environments: The Python that has a runtime, by backend, where it is not this one:
            {"litert": ".venv-litert/bin/python"}. vitprof is installed there too.
        artifacts: Keep what is compiled in this folder, and take it from there the next time.
        facts: Keep what is measured in this file, model after model: a call that was stopped goes
            on from there, and one of more models measures those that are new.
        shapes: Sizes of foreign models' inputs, by name, where they are open.
        download: Fetch an id of Hugging Face that the local cache lacks.
        progress: Show a bar on stderr, or call this function.

    Returns:
        A `RuntimeComparison`: `to_frame()`, `plot()`, `save(folder)`, `advice`.

    Raises:
        UserError: An unknown model, runtime or dtype; a runtime named that is not here; `facts` of
            other models, candidates or another machine.

    Example:
        >>> import vitprof
        >>> found = vitprof.compare_runtimes("deit-tiny", dtype=["fp32", "int8"])  # doctest: +SKIP
        >>> print(found.advice[0])  # doctest: +SKIP
    """
    from ..profiler.kept_artifacts import KeptArtifacts
    from ..profiler.runtimes.candidate import checked_environments, ways_of
    from ..profiler.runtimes.facts_log import RuntimeFactsLog
    from ..profiler.runtimes.measure import builders, measure_runtimes
    from ..profiler.runtimes.result import RuntimeComparison
    from ..profiler.target import kept_device, warn_of_settings
    from ..tables.setting import PartialSetting

    for name, value in (("batch", batch), ("threads", threads), ("sessions", sessions)):
        if value < 1:
            raise UserError(f"`{name}` is {value}; it has to be 1 or more.")
    ways = ways_of(runtimes)
    pythons = checked_environments(environments or {})
    dtypes = _checked_dtypes(dtype)
    fetched(models, download)
    kept = None if artifacts is None else str(KeptArtifacts.at(artifacts).folder.absolute())
    setting = PartialSetting(batch=batch, threads=threads)
    with (
        TemporaryFolder() as place,
        builders([sys.executable, *pythons.values()]) as builder_of,
        shown_progress(progress) as on_progress,
    ):
        folder = FilePath(place)
        asked = _asked(models, shapes, batch, folder)
        candidates, missing = _candidates(ways, dtypes, pythons, builder_of)
        if not candidates:
            raise UserError(f"no runtime is left to compare: {'; '.join(missing)}.")
        names = ", ".join(model.name for model in asked)
        log = None
        if facts is not None:
            under = _under(candidates, batch, threads, sessions)
            log = RuntimeFactsLog(FilePath(facts), under, {one.name: one.digest for one in asked})
        found = {} if log is None else log.found
        left = [one for one in asked if one.name not in found]
        if left:
            warn_of_settings(one.setting(batch, threads) for one in candidates)
        with kept_device(setting, f"vitprof compare --runtimes, of {names}"):
            measured = measure_runtimes(
                left,
                candidates,
                builder_of,
                folder,
                artifacts=kept,
                batch=batch,
                threads=threads,
                sessions=sessions,
                on_progress=on_progress,
                on_model=log.add if log else lambda model, facts: None,
            )
    if log is not None:
        measured = [one for model in asked for one in log.found[model.name]]
    return RuntimeComparison(tuple(measured), tuple(missing), batch, threads)


def _checked_dtypes(dtype: str | Sequence[str]) -> list[tuple[str, str]]:
    """Return a backend and a dtype each; "" for every backend that has it."""
    from ..backends import DTYPES
    from ..backends.registry import backend_names

    found = []
    for word in [dtype] if isinstance(dtype, str) else list(dtype):
        backend, _, one = word.rpartition("=")
        if backend and backend not in backend_names():
            raise UserError(
                f"dtype '{word}' is of a backend that is not known"
                f"{did_you_mean(backend, backend_names())}."
            )
        if one not in DTYPES:
            raise UserError(
                f"dtype '{one}' is not known{did_you_mean(one, DTYPES)}; it must be one of "
                f"{', '.join(DTYPES)}."
            )
        found.append((backend, one))
    return list(dict.fromkeys(found))


def _asked(
    models: Path | Spec | Sequence[Path | Spec], shapes: Shapes | None, batch: int, folder: FilePath
) -> list[AskedModel]:
    """Return what builders get for each model; all are opened here, so errors come at once."""
    from ..models.families.foreign.spec import ForeignSpec
    from ..profiler.runtimes.measure import AskedModel

    several: Sequence[Any] = models if isinstance(models, (list, tuple)) else [models]
    found: list[AskedModel] = []
    for given, spec in zip(several, specs_of(several, shapes, batch), strict=True):
        request: dict[str, Any] = {"spec": spec.to_dict()}
        if isinstance(spec, ForeignSpec):
            sizes = {name: list(shape) for name, shape in spec.inputs}
            request = {"text": _text(given, spec, folder, len(found)), "shapes": sizes}
        digest = hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode()).hexdigest()
        found.append(AskedModel(spec.name or f"model {len(found) + 1}", request, digest))
    if len({model.name for model in found}) < len(found):
        raise UserError("two of the models have one name; give each another, or once.")
    if not found:
        raise UserError("no model is given; name one in `models`.")
    return found


def _under(
    candidates: Sequence[Candidate], batch: int, threads: int, sessions: int
) -> dict[str, object]:
    """Return what a kept measurement has to agree with."""
    from ..backends import cpu_facts

    return {
        "cpu": cpu_facts()["cpu"],
        "runtimes": [one.name for one in candidates],
        "batch": batch,
        "threads": threads,
        "sessions": sessions,
    }


def _text(given: object, spec: Any, folder: FilePath, nth: int) -> str:
    """Return a foreign model as another process can open it: as it was given, or as a file."""
    if isinstance(given, (str, os.PathLike)):
        return os.fspath(given)
    if spec.source is None:
        raise UserError(f"{spec.name} is known only by its parts; give its file.")
    path = folder / f"model{nth}.onnx"
    try:
        write_named(path, spec.source.onnx())
    except BackendError as error:
        raise UserError(f"{spec.name} cannot be run here: {error}.") from None
    return str(path)


def _candidates(
    ways: Sequence[Way] | None,
    dtypes: Sequence[tuple[str, str]],
    pythons: Mapping[str, str],
    builder_of: Mapping[str, Child],
) -> tuple[list[Candidate], list[str]]:
    """Return what is compared, and a sentence for each runtime or dtype that is not.

    A runtime that was named and is not here is a UserError.
    """
    from .. import __version__
    from ..profiler.runtimes.candidate import Candidate, Way
    from ..profiler.runtimes.measure import here

    named = {way.backend for way in ways or ()}
    if alone := [f"{of}={one}" for of, one in dtypes if named and of and of not in named]:
        raise UserError(f"dtype '{alone[0]}' is of a runtime that is not compared; name it too.")
    replies = {python: here(child, python, __version__) for python, child in builder_of.items()}
    all_ways = [Way(name) for name in replies[sys.executable]["backends"]]
    found: list[Candidate] = []
    missing: list[str] = []
    for way in ways or all_ways:
        python = pythons.get(way.backend, sys.executable)
        of_python = replies[python]
        if way.backend not in of_python["backends"]:
            known = ", ".join(of_python["backends"])
            raise UserError(
                f"`runtimes` has {way.backend}, which does not measure a CPU; {known} do."
            )
        if reason := of_python["backends"][way.backend]:
            if ways is not None:
                raise UserError(f"{way.backend} is not here: {reason}")
            missing.append(f"{way.backend}: {reason}")
            continue
        has = of_python["dtypes"][way.backend]
        asked = list(dict.fromkeys(one for of, one in dtypes if of in ("", way.backend)))
        found += [Candidate(way, dtype, python) for dtype in asked if dtype in has]
        lacks = [dtype for dtype in asked if dtype not in has]
        if lacks:
            missing.append(f"{way.name} has {', '.join(has)}, not {', '.join(lacks)}")
    return found, missing
