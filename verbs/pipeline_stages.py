"""The file that `vitprof.pipeline` runs: strictly read, and made into calls of verbs."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import UserError, did_you_mean
from ..models.checks import shown
from ..notes import warn
from ..training.plan import TrainingPlan
from ..untrusted.files import read_text
from ..untrusted.structured import toml_table

LARGEST_FILE_BYTES = 1_000_000
# The verb of each section.
SECTIONS = {
    "train": "train",
    "attention": "bench_attention",
    "heads": "prune_heads",
    "student": "distill",
    "quantize": "quantize",
    "choose": "choose",
}
# Sections of which there may be several, each with a name, and what else theirs may say.
REPEATED = {"student": ("name", "levels"), "choose": ("name",)}
TOP = ("data", "resolution", "model", *SECTIONS)
# What the run gives a verb, and its file does not.
_OF_THE_RUN = ("data", "resolution", "out", "fresh", "progress")
_OF_THE_RUN_BY_SECTION = {
    "heads": ("model",),
    "student": ("teacher",),
    "quantize": ("model",),
    "choose": ("models", "facts"),
}
# Keys that had another name.
_RENAMED = {"precision": "autocast", "to": "dtype", "precisions": "dtypes"}
# (verb, parameter) -> its option, where that is called otherwise.
_OPTIONS = {
    ("choose", "models"): "model",
    ("choose", "dtypes"): "dtype",
    ("bench_attention", "dtypes"): "dtype",
}
# Parameters that a command takes as an option a value, not as one option with commas.
_AN_OPTION_A_VALUE = ("dtype", "models")
# The values of a file that a parameter takes, by the words of its annotation.
_TAKEN_BY: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "Path": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "Sequence": (list,),
    "None": (),
}


@dataclass(frozen=True)
class Stage:
    """A call of a verb: its folder's name in the run, and its arguments without `out`.

    resumes: the same call goes on by itself where it was interrupted; others start again.
    """

    name: str
    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    resumes: bool = False

    def command(self, out: Path) -> str:
        """Return the command line that does the same."""
        words = ["vitprof", self.verb.replace("_", "-")]
        for name, value in {**self.arguments, "out": out / self.name}.items():
            spelled = _OPTIONS.get((self.verb, name), name)
            option = f"--{spelled.replace('_', '-')}"
            if isinstance(value, list) and name in _AN_OPTION_A_VALUE:
                words += [word for one in value for word in (option, str(one))]
            elif isinstance(value, bool):
                words += [option] if value else []
            else:
                text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                words += [option, text]
        return shlex.join(words)


def verb_named(name: str) -> Callable[..., Any]:
    """Return the function that `vitprof.<name>` is."""
    found: Callable[..., Any] = getattr(importlib.import_module(f".{name}", __package__), name)
    return found


def read_config(path: Path) -> dict[str, Any]:
    """Return what the file says; raises UserError naming its first mistake."""
    config = toml_table(read_text(path, "a pipeline", LARGEST_FILE_BYTES), str(path))
    return _checked(config, str(path))


def _checked(config: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the configuration with today's names; raises UserError for its first mistake."""
    _check_keys(config, TOP, source)
    if not isinstance(config.get("data"), str):
        raise UserError(f'{source}: data is missing; say which images, e.g. data = "digits".')
    if ("model" in config) == ("train" in config):
        raise UserError(
            f"{source}: give model, the folder of the one that was trained, or a section [train], "
            "which trains one."
        )
    checked = dict(config)
    for section in SECTIONS:
        if section not in config:
            continue
        where = f"{source}, [{section}]"
        if section not in REPEATED:
            checked[section] = _section(config[section], section, where)
            continue
        if not isinstance(config[section], list):
            raise UserError(f"{where}: write it as [[{section}]], for there may be several.")
        checked[section] = [
            _section(one, section, f"{source}, [[{section}]] {number}")
            for number, one in enumerate(config[section], 1)
        ]
        _check_names(checked[section], f"{source}, [[{section}]]")
    if "train" in config and "model" not in config["train"]:
        raise UserError(f'{source}, [train]: model is missing, e.g. model = "vit-micro-8".')
    return checked


def _section(section: Any, kind: str, where: str) -> dict[str, Any]:
    """Return a section with today's names, checked against what its verb takes."""
    if not isinstance(section, dict):
        raise UserError(f"{where} has to be a table of keys.")
    parameters = _parameters(verb_named(SECTIONS[kind]))
    renamed: dict[str, Any] = {}
    for key, value in section.items():
        name = str(_RENAMED.get(key, key))
        if name not in parameters:
            name = key
        if name != key:
            warn(f"warning: {where}: {key} is now called {name}; the old name still works.")
        renamed[name] = value
    of_the_run = (*_OF_THE_RUN, *_OF_THE_RUN_BY_SECTION.get(kind, ()))
    known = [name for name in parameters if name not in of_the_run]
    _check_keys(renamed, list(dict.fromkeys((*REPEATED.get(kind, ()), *known))), where)
    for key, value in renamed.items():
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, str | int | float) for part in parts):
            raise UserError(f"{where}: {key}={shown(value)} has to be a text, a number or a list.")
        if key in known:
            _check_type(key, value, parameters[key], where)
    return renamed


def _parameters(verb: Callable[..., Any]) -> dict[str, str]:
    """Return what a verb takes, and of which type; train's `options` are fields of its plan."""
    found = {}
    for name, parameter in inspect.signature(verb).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            found.update({field.name: str(field.type) for field in fields(TrainingPlan)})
        else:
            found[name] = str(parameter.annotation)
    return found


def _check_type(key: str, value: Any, annotation: str, where: str) -> None:
    """Raise UserError where a verb's parameter takes no such value; unknown types take all."""
    names = re.findall(r"\w+", annotation)
    if not all(name in _TAKEN_BY for name in names):
        return
    kinds = tuple(kind for name in names for kind in _TAKEN_BY[name])
    if not isinstance(value, kinds) or (isinstance(value, bool) and "bool" not in names):
        taken = annotation.removesuffix(" | None")
        raise UserError(f"{where}: {key}={shown(value)} has to be of type {taken}.")


def _check_names(sections: Sequence[Mapping[str, Any]], where: str) -> None:
    names = [str(one.get("name", "")) for one in sections]
    for name in names:
        letters = name.isidentifier() or all(part.isalnum() for part in name.split("-") if part)
        if not name or not letters:
            raise UserError(
                f"{where}: name={shown(name)} has to be letters, digits and hyphens; a folder is "
                "called by it."
            )
    if len(set(names)) < len(names):
        raise UserError(f"{where}: two of them have the same name.")


def _check_keys(section: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in section:
        if key not in keys:
            raise UserError(
                f"{where}: unknown key '{key}'{did_you_mean(key, keys)}; known are "
                f"{', '.join(keys)}."
            )


def stages_of(config: Mapping[str, Any], out: Path) -> list[Stage]:
    """Return the stages in their order; each one's folder is `out` / its name."""
    data = {name: config[name] for name in ("data", "resolution") if name in config}
    stages: list[Stage] = []
    model = str(config.get("model", ""))
    if "train" in config:
        stages.append(Stage("train", "train", {**data, **config["train"]}, True))
        model = str(out / "train")
    if "attention" in config:
        section = {"model": model, **config["attention"]}
        # A model's folder may not be there yet, its name in [train] is.
        if "model" not in config["attention"] and "train" in config:
            section["model"] = config["train"]["model"]
        stages.append(Stage("attention", "bench_attention", section))
    ladders = [model]
    if "heads" in config:
        stages.append(Stage("heads", "prune_heads", {"model": model, **data, **config["heads"]}))
        ladders = [str(out / "heads")]
    students = config.get("student", [])
    for student in students:
        own = {k: v for k, v in student.items() if k not in REPEATED["student"]}
        name = f"student-{student['name']}"
        stages.append(Stage(name, "distill", {"teacher": model, **data, **own}, True))
        if "levels" in student:
            heads = {k: v for k, v in config.get("heads", {}).items() if k != "heads"}
            levels = {**heads, "levels": student["levels"]}
            arguments = {"model": str(out / name), **data, **levels}
            stages.append(Stage(f"{name}-heads", "prune_heads", arguments))
            ladders.append(str(out / f"{name}-heads"))
        else:
            ladders.append(str(out / name))
    if "quantize" in config:
        for name, of_model in [
            ("teacher", model),
            *((one["name"], str(out / f"student-{one['name']}")) for one in students),
        ]:
            arguments = {"model": of_model, **data, **config["quantize"]}
            stages.append(Stage(f"int8-{name}", "quantize", arguments))
    for one in config.get("choose", []):
        own = {k: v for k, v in one.items() if k != "name"}
        facts = str(out / "facts.jsonl")
        arguments = {"models": ladders, **data, "facts": facts, **own}
        stages.append(Stage(f"choose-{one['name']}", "choose", arguments))
    return stages
