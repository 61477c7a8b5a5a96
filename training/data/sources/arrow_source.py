"""Images of a Hugging Face data set on disk (`Dataset.save_to_disk`), read from its Arrow files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import MissingExtraError, UserError
from ....models.checks import shown
from ....untrusted.limits import CLASSES
from ....untrusted.memory import check_memory
from .arrow_files import PARTS, STATE, check_arrow_folder
from .source import MOST_FILE_BYTES, label_type

if TYPE_CHECKING:
    import datasets

# Names of a class's column where no column is of classes by its type.
LABEL_COLUMNS = ("label", "labels", "class", "fine_label")


class ArrowSource:
    """The images of one part of a data set; rows have an image and a class.

    Raises UserError where there is no column of images or of classes, or an image is not in the
    data set itself but named by a path.
    """

    def __init__(self, rows: datasets.Dataset, name: str) -> None:
        import datasets

        image, label = _columns(rows, name)
        feature = rows.features[label]
        self._name = name
        self._rows = rows.select_columns([image]).cast_column(image, datasets.Image(decode=False))
        self._column = image
        # A column may announce more rows than its file has bytes.
        check_memory(8 * len(rows), f"{name}: the column {shown(label)}")
        found = np.asarray(rows.with_format("numpy")[label][:])
        if found.dtype.kind not in "iu" or not len(found) or found.min() < 0:
            raise UserError(
                f"{name}: the column {shown(label)} has to hold whole numbers from 0, one an image."
            )
        CLASSES.check(int(found.max()) + 1, f"{name}: the number of its classes is")
        if isinstance(feature, datasets.ClassLabel):
            self.classes = tuple(map(str, feature.names))
        else:
            self.classes = tuple(map(str, range(int(found.max()) + 1)))
        self.labels = found.astype(label_type(len(self.classes)))
        self.starts = np.zeros(1, dtype=np.int64)

    @property
    def name(self) -> str:
        return self._name

    def __len__(self) -> int:
        return len(self._rows)

    def name_of(self, index: int) -> str:
        return f"row {index}"

    def read(self, index: int) -> bytes:
        cell: Any = self._rows[int(index)][self._column]
        data = None if cell is None else cell["bytes"]
        if data is None:
            # A path is not followed: it comes with the data and may name any file.
            raise UserError(f"{self.name}: row {index} holds no image, only a path or nothing.")
        return bytes(data[: MOST_FILE_BYTES + 1])

    def fingerprint(self) -> bytes:
        return f"{self._rows._fingerprint}".encode() + self.labels.tobytes()


def is_arrow_folder(path: Path) -> bool:
    """Whether a folder is a data set that Hugging Face's `datasets` wrote."""
    return (path / STATE).is_file() or (path / PARTS).is_file()


def read_arrow_folder(path: Path) -> dict[str, ArrowSource]:
    """Return the parts of a data set by name; of one without parts, it alone as "".

    Raises UserError where it cannot be read.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError(
            "datasets", "a data set of Hugging Face needs datasets, which is not installed:"
        ) from None
    check_arrow_folder(path)
    datasets.disable_progress_bars()
    try:
        found = datasets.load_from_disk(str(path))
    except Exception as error:  # pyarrow and datasets raise kinds of their own
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path} is no data set of Hugging Face that can be read ({reason})."
        ) from None
    if isinstance(found, datasets.Dataset):
        return {"": ArrowSource(found, str(path))}
    return {name: ArrowSource(part, f"{path} ({name})") for name, part in found.items()}


def _columns(rows: datasets.Dataset, name: str) -> tuple[str, str]:
    """Return the names of the columns that hold the image and its class."""
    import datasets

    features = rows.features
    images = [column for column, kind in features.items() if isinstance(kind, datasets.Image)]
    labels = [c for c, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    labels = labels or [column for column in LABEL_COLUMNS if column in features]
    for what, found in (("images", images), ("classes", labels)):
        if not found:
            raise UserError(
                f"{name} has no column of {what}; its columns are {shown(', '.join(features))}."
            )
    return images[0], labels[0]
