"""The options of a run, kept beside it: whether it is asked for again with the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..notes import note

# Options that had another name in a run that an older vitprof began.
RENAMED = {
    "precision": "autocast",
    "budget": "credit",
    "min_top1": "min_accuracy",
    "variants": "models",
}
MOST_NAMED = 3
_UNSET: tuple[object, ...] = (None, "", False, 0, [])


def options_text(asked: Mapping[str, Any]) -> str:
    """Return the options as the JSON text that is written."""
    return json.dumps(asked, indent=2, sort_keys=True, default=_plain) + "\n"


def check_same_options(before: Mapping[str, Any], asked: Mapping[str, Any], folder: Path) -> None:
    """Raise UserError where an option is another one now, naming each as "epochs 40 -> 8".

    An option that only one of the two versions of vitprof knows is not a difference; it is noted
    where it is set.
    """
    then, now = _flat(before), _flat(json.loads(options_text(asked)))
    differing = [name for name in then if name in now and then[name] != now[name]]
    if differing:
        words = [f"{_last(name)} {_said(then[name])} -> {_said(now[name])}" for name in differing]
        more = len(words) - MOST_NAMED
        listed = ", ".join(words[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise UserError(
            f"{folder} holds a run with another {_last(differing[0])} ({listed}); repeat its "
            "options to go on, or give another `out`."
        )
    for only, other, what in (
        (now, then, "which was not known when the run began"),
        (then, now, "which is not known any more"),
    ):
        for name in only:
            if name not in other and only[name] not in _UNSET:
                word = "with" if only is now else "without"
                note(f"going on {word} {_last(name)} {_said(only[name])}, {what}.")


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested options in one level, by their whole names, sorted: "training.epochs"."""
    return dict(sorted(_leaves(options, "")))


def _leaves(options: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        name = before + RENAMED.get(key, key)
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _said(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value) if value not in (None, "") else "none"
    return text if len(text) <= 60 else text[:60] + "…"


def _plain(value: object) -> Any:
    """Return a dataclass or a path as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
