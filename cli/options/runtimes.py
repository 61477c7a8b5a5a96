"""--runtimes: one model by every runtime, and how they are compared."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ...errors import UserError
from .artifacts import artifacts_option
from .table_and_setting import given_options

F = TypeVar("F", bound=Callable[..., Any])

# By parameter: options that say how runtimes are compared, and those of a comparison by a table.
OF_RUNTIMES = ("dtypes", "batch", "threads", "sessions", "environments", "artifacts", "facts")
OF_TABLES = ("tables", "at", "samples", "seed", "measure", "time", "extrapolate")


def environments_of(
    _: click.Context, __: click.Parameter, given: tuple[str, ...]
) -> Mapping[str, str]:
    """Return the Pythons of --environment by runtime; raises UserError for another text."""
    found = {}
    for text in given:
        backend, equals, python = text.partition("=")
        if not equals or not backend or not python:
            raise UserError(
                f"`environments` is '{text}'; give a backend and its Python: "
                "litert=.venv-litert/bin/python."
            )
        found[backend] = python
    return found


def runtime_options(function: F) -> F:
    """Add --runtimes and its options; the function gets `runtimes` and `of_runtimes`, a dict."""

    @click.option(
        "--runtimes",
        metavar="all|NAME,NAME",
        help="Instead of a table: run the models with every installed runtime, or with those "
        "named (onnxruntime,torch:compile), in turns, and say which to take.",
    )
    @click.option(
        "--dtype",
        "dtypes",
        multiple=True,
        help="With --runtimes: fp32 (default), int8, …; may be repeated. "
        "openvino=int8-static is for one runtime alone.",
    )
    @click.option("--batch", default=1, help="With --runtimes: images per run (default: 1).")
    @click.option("--threads", default=1, help="With --runtimes: threads of each (default: 1).")
    @click.option("--sessions", default=5, help="With --runtimes: fresh sessions (default: 5).")
    @click.option(
        "--environment",
        "environments",
        multiple=True,
        callback=environments_of,
        metavar="NAME=PYTHON",
        help="With --runtimes: the Python in which a runtime is installed, if it is another one.",
    )
    @artifacts_option
    @click.option(
        "--facts",
        type=click.Path(path_type=Path, dir_okay=False),
        help="With --runtimes: keep measurements in this file; the same command continues from "
        "there.",
    )
    @functools.wraps(function)
    def with_runtimes(*args: Any, runtimes: str | None, **given: Any) -> Any:
        wrong = given_options(set(OF_TABLES if runtimes else OF_RUNTIMES))
        if wrong:
            names = " and ".join(sorted(wrong))
            raise UserError(
                f"{names} cannot be given beside `runtimes`, which needs no table; remove one."
                if runtimes
                else f"{names} goes with `runtimes`; give both, or remove it."
            )
        how = {name: given.pop(name) for name in OF_RUNTIMES}
        how["dtype"] = list(how.pop("dtypes")) or ["fp32"]
        return function(*args, runtimes=runtimes, of_runtimes=how, **given)

    return with_runtimes  # type: ignore[return-value]
