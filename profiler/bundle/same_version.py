"""Whether a bundle was built by the version of the runtime that is to measure it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...backends.registry import find_kind
from ...errors import UserError
from ...notes import warn
from ..target import Target


def check_versions(path: Path, built: Mapping[str, object], target: Target) -> None:
    """Compare the runtime that `built` the bundle at `path` with the one of `target`.

    Raises UserError, naming both versions, where only the same one loads an artifact. Warns of
    others: they measure, and the table is theirs.
    """
    kind = find_kind(target.setting.backend)
    here = target.backend.environment(target.options)
    for name in (target.setting.backend, target.options.provider, *(kind.versions if kind else ())):
        theirs, ours = built.get(name), here.get(name)
        if theirs is None or ours is None or theirs == ours:
            continue
        if kind is not None and kind.same_version:
            raise UserError(
                f"{path} was built by {name} {theirs} and this machine has {ours}, which cannot "
                f"load its {kind.suffix}s; install {theirs}, or build the bundle with {ours}."
            )
        warn(
            f"warning: {path} was built by {name} {theirs} and is measured by {ours}; the table "
            f"is that of {ours}."
        )
