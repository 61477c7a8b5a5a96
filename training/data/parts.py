"""The parts of a data set of files: what of it is to train on, and what to test on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from ...progress import OnProgress, no_progress
from .image_folder import folder_or_zip
from .sources.arrow_source import is_arrow_folder, read_arrow_folder
from .sources.shard_source import ShardSource
from .sources.source import ImageSource

# What the two parts are called: folders, zips, the beginning of shards' names, parts of a data set
# of Hugging Face.
TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "val", "valid", "validation")
# Names of classes, one a line, beside shards: in these a class is a number.
CLASS_NAMES = "classes.txt"
MOST_RANGE = 100_000
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class Parts:
    """Images to train on, and images to test on; `test` is None where all are one part."""

    train: ImageSource
    test: ImageSource | None


def find_parts(source: str, on_progress: OnProgress = no_progress) -> Parts:
    """Return the parts of a folder, zip, shards, or data set of Hugging Face on disk.

    A folder may hold train and test (or val), each a folder or zip of class folders, or shards
    (train-000000.tar); shards may be named with a range too, as "photos-{000000..000146}.tar".
    Raises UserError where there are no images, or a shard of a range is missing.
    """
    path = Path(source)
    if _RANGE.search(source):
        return Parts(_shards(_range(source), source, on_progress), None)
    if path.suffix == ".tar" and path.is_file():
        return Parts(_shards([path], source, on_progress), None)
    if not path.is_dir():
        return Parts(folder_or_zip(path), None)
    return _parts_of_arrow(path) if is_arrow_folder(path) else _parts_of_folder(path, on_progress)


def _parts_of_folder(path: Path, on_progress: OnProgress) -> Parts:
    train, test = _part(path, TRAIN_NAMES, on_progress), _part(path, TEST_NAMES, on_progress)
    if train is not None and test is not None:
        return Parts(train, test)
    shards = sorted(path.glob("*.tar"))
    if shards:
        return Parts(_shards(shards, str(path), on_progress), None)
    return Parts(folder_or_zip(path), None)


def find_test_part(source: str, on_progress: OnProgress = no_progress) -> ImageSource | None:
    """Return what a folder has to test on, None where it has no such part; nothing else is read."""
    path = Path(source)
    if not path.is_dir():
        return None
    if is_arrow_folder(path):
        return _parts_of_arrow(path).test
    return _part(path, TEST_NAMES, on_progress)


def _part(folder: Path, names: Sequence[str], on_progress: OnProgress) -> ImageSource | None:
    for name in names:
        place = folder / name
        if place.is_dir():
            shards = sorted(place.glob("*.tar"))
            if shards:
                return _shards(shards, str(place), on_progress)
            return folder_or_zip(place)
        if (folder / f"{name}.zip").exists():
            return folder_or_zip(folder / f"{name}.zip")
        # "train-000.tar", and not "training-000.tar", which is of the next name.
        shards = sorted(p for p in folder.glob(f"{name}*.tar") if not p.name[len(name)].isalpha())
        if shards:
            return _shards(shards, f"{folder / name}*.tar", on_progress)
    return None


def _parts_of_arrow(path: Path) -> Parts:
    found = read_arrow_folder(path)
    if "" in found:
        return Parts(found[""], None)
    train = next((found[name] for name in TRAIN_NAMES if name in found), None)
    # GLUE's habit goes for images too: a test part may come without labels.
    test = next((found[name] for name in reversed(TEST_NAMES) if name in found), None)
    if train is None:
        raise UserError(f"{path} has the parts {', '.join(sorted(found))}, and none called train.")
    return Parts(train, test)


def _shards(paths: Sequence[Path], name: str, on_progress: OnProgress) -> ShardSource:
    beside = {path.parent / CLASS_NAMES for path in paths}
    beside |= {place.parent.parent / CLASS_NAMES for place in list(beside)}
    listed = next((place for place in sorted(beside, reverse=True) if place.is_file()), None)
    return ShardSource(paths, name, None if listed is None else _class_names(listed), on_progress)


def _class_names(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(set(names)) != len(names):
        raise UserError(f"{path} names a class twice.")
    return names


def _range(source: str) -> list[Path]:
    """Return the shards of "name-{000..146}.tar"; UserError where one is missing."""
    found = _RANGE.search(source)
    assert found is not None
    first, last = int(found[1]), int(found[2])
    if not first <= last < first + MOST_RANGE:
        raise UserError(f"'{source}': the range goes from {found[1]} to {found[2]}.")
    before, after, digits = source[: found.start()], source[found.end() :], len(found[1])
    paths = [Path(f"{before}{number:0{digits}}{after}") for number in range(first, last + 1)]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]} does not exist: {len(missing)} of the {len(paths)} shards of "
            f"'{source}' are missing."
        )
    return paths
