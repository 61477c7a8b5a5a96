"""Which files of a folder or an archive are images, and the class that each shows by its folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ....errors import UserError
from ....models.checks import shown
from .packed_names import PackedNames
from .source import SUFFIXES, label_type


@dataclass(frozen=True)
class LabelledPaths:
    """Paths of images below a root, sorted, and the index of each one's class."""

    paths: PackedNames
    classes: tuple[str, ...]
    labels: np.ndarray


def labelled_paths(root: Path, names: Iterable[str]) -> LabelledPaths:
    """Return the images among the files `names` (class/image, with slashes, below `root`).

    Files that begin with a dot are passed over, and so is one folder around all class folders.
    Raises UserError where there is no image, or one lies elsewhere than in a class folder.
    """
    found = sorted(name for name in names if _is_image(name))
    if not found:
        raise UserError(
            f"{root} has no images; they are expected as class/image "
            f"({', '.join(sorted(SUFFIXES))})."
        )
    outer = {name.partition("/")[0] for name in found}
    inside = 1 if len(outer) == 1 and all(name.count("/") > 1 for name in found) else 0
    of_each = []
    for name in found:
        folders = name.split("/")[inside:-1]
        if len(folders) != 1:
            raise UserError(
                f"{root}: {shown(name)} lies in {len(folders)} folders; images are expected as "
                "class/image."
            )
        of_each.append(folders[0])
    classes = tuple(sorted(set(of_each)))
    numbers = {label: number for number, label in enumerate(classes)}
    labels = np.fromiter(
        (numbers[label] for label in of_each), dtype=label_type(len(classes)), count=len(of_each)
    )
    return LabelledPaths(PackedNames(found), classes, labels)


def _is_image(name: str) -> bool:
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem or f".{suffix.lower()}" not in SUFFIXES:
        return False
    return not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
