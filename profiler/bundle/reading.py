"""Strict reading of a bundle's manifest: nothing that its writer could not have written passes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ... import __version__
from ...backends.agreement import SUMS, OutputSketch
from ...errors import UserError
from ...models import Block, Spec, find_op
from ...models.checks import (
    check_known_fields,
    check_name,
    check_required_fields,
    check_whole_number,
    shown,
)
from ...models.json_object import read_json_object
from ...tables import Setting
from ...tables.row import CONTEXTS, Context
from ...tables.setting import SETTING_COLUMNS
from ..plan import Plan, Point, Subject, is_kernels
from .manifest import FORMAT, READ_VERSIONS, Manifest, Stored, rounded_sum
from .zip_file import LARGEST_ARTIFACT, MOST_ARTIFACTS, is_artifact

MOST_POINTS = 10_000
MOST_BLOCKS_OF_A_CHAIN = 4_096
MOST_OUTPUTS = 64
MOST_DIMS = 8
LONGEST_REASON = 500
_MOST_VERSIONS = 64
_LARGEST_NUMBER = 1e15
_FIELDS = (
    "format",
    "version",
    "vitprof",
    "setting",
    "built",
    "limits",
    "reference",
    "points",
    "artifacts",
)


def read_manifest(data: bytes, where: str) -> Manifest:
    """Return the manifest that `Manifest.to_json` wrote; `where` is what a message calls it.

    Raises UserError for anything else: an unknown op or family, a dim out of range, a field too
    many, a point without its artifacts.
    """
    try:
        return _manifest(data)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _manifest(data: bytes) -> Manifest:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UserError("it is binary, not text; build the bundle again.") from None
    if not text.startswith("{"):  # anything else would be taken for a path
        raise UserError("it is not a JSON object; build the bundle again.")
    record, _ = read_json_object(text)
    if record.get("format") != FORMAT:
        raise UserError(f"its format is {shown(record.get('format'))}, not '{FORMAT}'.")
    version = record.get("version")
    if isinstance(version, bool) or version not in READ_VERSIONS:
        raise UserError(
            f"it has bundle format {shown(version)} and this vitprof reads "
            f"{' and '.join(map(str, READ_VERSIONS))}; build the bundle and measure it with the "
            "same vitprof."
        )
    check_known_fields(record, _FIELDS)
    check_required_fields(record, _FIELDS)
    check_name("vitprof", record["vitprof"])
    points = [_point(one) for one in _list("points", record["points"], 1, MOST_POINTS)]
    most_parts = 2 * MOST_POINTS + 1
    found = [_artifact(one) for one in _list("artifacts", record["artifacts"], 1, most_parts)]
    manifest = Manifest(
        _setting(record["setting"]),
        _built(record["built"]),
        Plan(points),
        None if record["reference"] is None else _block(record["reference"]),
        dict(found),
        record["vitprof"],
    )
    if len(manifest.artifacts) != len(found):
        raise UserError("an artifact is listed twice; build the bundle again.")
    _check_parts(manifest)
    _check_files(manifest, found, record["limits"])
    return manifest


def _check_parts(manifest: Manifest) -> None:
    """Every part of every point must be there, and nothing else."""
    if len({point.key for point in manifest.plan.points}) != len(manifest.plan.points):
        raise UserError("a point appears twice; build the bundle again.")
    needed = {part.subject: point for point in manifest.plan.points for part in point.parts}
    for subject, point in needed.items():
        if subject not in manifest.artifacts and not is_kernels(subject):
            raise UserError(
                f"a part of {point} has no artifact; it was built by vitprof {manifest.vitprof}, "
                f"and this is {__version__}: build it again."
            )
    reference = (manifest.reference,) if manifest.reference else None
    if reference is not None and reference not in manifest.artifacts:
        raise UserError("the reference block has no artifact; build the bundle again.")
    for subject in manifest.artifacts:
        if subject not in needed and subject != reference:
            raise UserError("an artifact belongs to no point; build the bundle again.")


def _check_files(
    manifest: Manifest, found: Sequence[tuple[Subject, Stored | str]], limits: object
) -> None:
    files = manifest.files
    for _, stored in found:
        if isinstance(stored, Stored) and files[stored.file] != stored:
            raise UserError(f"{stored.file} is listed with two sizes or hashes.")
    if len(files) > MOST_ARTIFACTS:
        raise UserError(f"it lists {len(files)} files; {MOST_ARTIFACTS} may be.")
    if limits != manifest.limits:
        raise UserError(
            f"its limits are {shown(limits)} but its files come to {manifest.limits}; build the "
            "bundle again."
        )


def _setting(record: object) -> Setting:
    values = _object("setting", record)
    check_known_fields(values, SETTING_COLUMNS)
    setting = Setting.from_dict(values, "its plan")
    for name, value in setting.as_dict().items():
        if isinstance(value, str) and (value or name != "provider"):
            check_name(name, value)
    return setting


def _built(record: object) -> Mapping[str, object]:
    values = _object("built", record)
    if len(values) > _MOST_VERSIONS:
        raise UserError(f"built has {len(values)} entries; {_MOST_VERSIONS} may be.")
    for name, value in values.items():
        check_name("a name in built", name)
        if isinstance(value, str):
            check_name(name, value)
        elif value is not None and not _is_small_number(value):
            raise UserError(f"built has {shown(value)} for {name}, which is not a version.")
    return values


def _is_small_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _LARGEST_NUMBER


def _point(record: object) -> Point:
    values = _object("a point", record)
    check_known_fields(values, ("block", "model", "context"))
    context = values.get("context")
    if context not in CONTEXTS:
        raise UserError(f"a point's context is {shown(context)}, not one of {', '.join(CONTEXTS)}.")
    model = _spec(values["model"]) if "model" in values else None
    if "block" not in values:
        if model is None or context != "in_model":
            raise UserError(f"{shown(record)} is not a point; build the bundle again.")
        return Point(model, "in_model")
    block = _block(values["block"])
    if (model is not None) != (context == "in_model"):
        raise UserError(f"{block} stands in a model, but not in this context: {context}.")
    if model is not None and block not in model.blocks():
        raise UserError(f"{block} is not a block of the model it is to be measured in.")
    if context != "alone" and block.input_shape != block.output_shape:
        raise UserError(f"{block} cannot be repeated or left out; it is measured alone.")
    return Point(block, cast(Context, context), model)


def _artifact(record: object) -> tuple[Subject, Stored | str]:
    values = _object("an artifact", record)
    names = ("of", "error") if "error" in values else ("of", "file", "bytes", "sha256")
    optional = () if "error" in values else ("expected",)
    check_known_fields(values, (*names, *optional))
    check_required_fields(values, names)
    subject = subject_from_json(values["of"])
    if "error" in values:
        return subject, _reason(values["error"])
    file, size, digest = values["file"], values["bytes"], values["sha256"]
    if not isinstance(file, str) or not is_artifact(file):
        raise UserError(f"{shown(file)} is not a name of an artifact; build the bundle again.")
    check_whole_number("bytes", size, 1, LARGEST_ARTIFACT)
    if not isinstance(digest, str) or re.fullmatch("[0-9a-f]{64}", digest) is None:
        raise UserError(f"{shown(digest)} is not a SHA-256 of {file}; build the bundle again.")
    return subject, Stored(file, size, digest, sketches_from(values.get("expected"), file))


def sketches_from(record: object, file: str) -> tuple[OutputSketch, ...] | None:
    """Return the outputs that an artifact is to have; bundles of an older vitprof tell none."""
    if record is None:
        return None
    return tuple(
        _sketch(one, file) for one in _list(f"expected of {file}", record, 0, MOST_OUTPUTS)
    )


def _sketch(record: object, file: str) -> OutputSketch:
    values = _object("an output", record)
    check_known_fields(values, ("shape", "sums"))
    check_required_fields(values, ("shape", "sums"))
    shape = _list("a shape", values["shape"], 0, MOST_DIMS)
    for size in shape:
        check_whole_number("a size", size, 0, LARGEST_ARTIFACT)
    sums = _list("sums", values["sums"], SUMS, SUMS)
    for value in sums:
        if isinstance(value, bool) or not _is_small_number(value):
            raise UserError(f"{shown(value)} is not a sum of outputs of {file}.")
    return OutputSketch(tuple(shape), tuple(rounded_sum(value) for value in sums))


def subject_from_json(value: object) -> Subject:
    """Return what `manifest.subject_as_json` wrote; raises UserError for anything else."""
    if isinstance(value, dict):
        return _spec(value)
    chain = _list("a chain of blocks", value, 1, MOST_BLOCKS_OF_A_CHAIN)
    return tuple(_block(one) for one in chain)


def _block(record: object) -> Block:
    values = _object("a block", record)
    check_name("op", values.get("op"))
    dims = {name: value for name, value in values.items() if name != "op"}
    check_known_fields(dims, find_op(values["op"]).axes)
    return Block.of(values["op"], **dims)


def _spec(record: object) -> Spec:
    return Spec.from_dict(_object("a model", record), "a model")


def _reason(text: object) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_REASON or not text.isprintable():
        raise UserError(f"{shown(text)} is no reason why an artifact is missing.")
    return text


def _object(what: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{what} is {shown(value)}, not a JSON object; build the bundle again.")
    return value


def _list(what: str, value: object, least: int, most: int) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        count = f"{len(value)} entries" if isinstance(value, list) else shown(value)
        raise UserError(f"{what}: {count}, not a list of {least} to {most}.")
    return value
