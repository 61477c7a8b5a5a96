"""The file that `vitprof pipeline` runs: strictly read, and made into its stages' commands."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError, did_you_mean
from ..models.checks import shown

LARGEST_FILE_BYTES = 1_000_000
# What each section takes: the options of its command, by their names with underscores.
_TRAINING = (
    "epochs", "batch", "learning_rate", "weight_decay", "augment", "precision", "seed",
    "train_device",
)  # fmt: skip
_MEASURING = ("threads", "test_images", "sessions")
SECTIONS: dict[str, tuple[str, ...]] = {
    "train": ("model", "checkpoint", *_TRAINING),
    "attention": (
        "model", "layers", "batches", "tokens", "block_batch", "dtypes", "modes", "warmup", "runs",
        "threads", "train_device",
    ),
    "heads": ("levels", "heads", "norm", "reconstruct", "seed", "batch", *_MEASURING),
    "student": (
        "name", "student", "preset", "checkpoint", "weight", "temperature", "levels", "run_batch",
        *_TRAINING, *_MEASURING,
    ),
    "quantize": (
        "to", "runtime", "calibration", "calibration_images", "batch", *_MEASURING,
    ),
    "choose": (
        "name", "precisions", "threads", "judge_images", "max_latency", "max_memory", "max_params",
        "max_macs", "max_cpu", "min_accuracy", "accuracy", "latency_weight", "memory_weight",
        "algorithm", "evaluations", "sessions", "seed",
    ),
}  # fmt: skip
# Sections of which there may be several, each with a name.
REPEATED = ("student", "choose")
TOP = ("data", "resolution", "model", *SECTIONS)


@dataclass(frozen=True)
class Stage:
    """One command: its folder's name in the run, and its arguments without --out.

    resumes: the same command goes on by itself where it was interrupted; others begin anew.
    """

    name: str
    command: str
    arguments: tuple[str, ...]
    resumes: bool = False


def read_config(path: Path) -> dict[str, Any]:
    """Return what the file says; raises UserError naming its first mistake."""
    try:
        data = path.open("rb").read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check the path.") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise UserError(f"{path} is larger than 1 MB, so it is no pipeline.")
    try:
        config = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid TOML ({error}); correct it.") from None
    _check(config, str(path))
    return config


def _check(config: Mapping[str, Any], source: str) -> None:
    _check_keys(config, TOP, source)
    if not isinstance(config.get("data"), str):
        raise UserError(f'{source}: data is missing; say which images, e.g. data = "digits".')
    if ("model" in config) == ("train" in config):
        raise UserError(
            f"{source}: give model, the folder of the one that was trained, or a section [train], "
            "which trains one."
        )
    for section, keys in SECTIONS.items():
        if section not in config:
            continue
        where = f"{source}, [{section}]"
        if section not in REPEATED:
            _check_section(config[section], keys, where)
            continue
        if not isinstance(config[section], list):
            raise UserError(f"{where}: write it as [[{section}]], for there may be several.")
        for number, one in enumerate(config[section], 1):
            _check_section(one, keys, f"{source}, [[{section}]] {number}")
        names = [str(one.get("name", "")) for one in config[section]]
        for name in names:
            if (
                not name.isidentifier()
                and not all(part.isalnum() for part in name.split("-") if part)
            ) or not name:
                raise UserError(
                    f"{source}, [[{section}]]: name={shown(name)} has to be letters, digits and "
                    "hyphens; a folder is called by it."
                )
        if len(set(names)) < len(names):
            raise UserError(f"{source}, [[{section}]]: two of them have the same name.")
    if "train" in config and "model" not in config["train"]:
        raise UserError(f'{source}, [train]: model is missing, e.g. model = "vit-micro-8".')


def _check_section(section: Any, keys: Sequence[str], where: str) -> None:
    if not isinstance(section, dict):
        raise UserError(f"{where} has to be a table of keys.")
    _check_keys(section, keys, where)
    for key, value in section.items():
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, str | int | float) for part in parts):
            raise UserError(f"{where}: {key}={shown(value)} has to be a text, a number or a list.")


def _check_keys(section: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in section:
        if key not in keys:
            raise UserError(
                f"{where}: unknown key '{key}'{did_you_mean(key, keys)}; known are "
                f"{', '.join(keys)}."
            )


def stages_of(config: Mapping[str, Any], out: Path) -> list[Stage]:
    """Return the stages in their order; each one's folder is `out` / its name."""
    data = ["--data", config["data"]]
    if "resolution" in config:
        data += ["--resolution", str(config["resolution"])]
    stages: list[Stage] = []
    model = str(config.get("model", ""))
    if "train" in config:
        stages.append(Stage("train", "train", (*data, *_options(config["train"])), True))
        model = str(out / "train")
    if "attention" in config:
        section = {"model": model, **config["attention"]}
        # A model's folder may not be there yet, its name in [train] is.
        if "model" not in config["attention"] and "train" in config:
            section["model"] = config["train"]["model"]
        stages.append(Stage("attention", "bench-attention", tuple(_options(section))))
    ladders = [model]
    if "heads" in config:
        stages.append(Stage("heads", "prune-heads",
                            ("--model", model, *data, *_options(config["heads"]))))  # fmt: skip
        ladders = [str(out / "heads")]
    students = config.get("student", [])
    for student in students:
        own = {k: v for k, v in student.items() if k not in ("name", "levels")}
        name = f"student-{student['name']}"
        stages.append(Stage(name, "distill",
                            ("--teacher", model, *data, *_options(own)), True))  # fmt: skip
        if "levels" in student:
            heads = {k: v for k, v in config.get("heads", {}).items() if k not in ("heads",)}
            options = _options({**heads, "levels": student["levels"]})
            stages.append(Stage(f"{name}-heads", "prune-heads",
                                ("--model", str(out / name), *data, *options)))  # fmt: skip
            ladders.append(str(out / f"{name}-heads"))
        else:
            ladders.append(str(out / name))
    if "quantize" in config:
        for name, of_model in [("teacher", model), *(
            (one["name"], str(out / f"student-{one['name']}")) for one in students
        )]:  # fmt: skip
            arguments = ("--model", of_model, *data, *_options(config["quantize"]))
            stages.append(Stage(f"int8-{name}", "quantize", arguments))
    for one in config.get("choose", []):
        own = {k: v for k, v in one.items() if k != "name"}
        variants = [part for ladder in ladders for part in ("--variants", ladder)]
        facts = ["--facts", str(out / "facts.jsonl")]
        stages.append(Stage(f"choose-{one['name']}", "choose",
                            (*variants, *data, *facts, *_options(own))))  # fmt: skip
    return stages


# Options that take a value more than once, not a list of values.
_MANY_TIMES = ("to",)


def _options(section: Mapping[str, Any]) -> list[str]:
    """Return keys and values as a command's options; a list is one, with commas."""
    found: list[str] = []
    for key, value in section.items():
        option = f"--{key.replace('_', '-')}"
        if isinstance(value, list) and key in _MANY_TIMES:
            for one in value:
                found += [option, str(one)]
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            found += [option, text]
    return found
