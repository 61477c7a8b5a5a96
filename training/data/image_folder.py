"""Images from a folder of class folders, or from a zip of one, as they are: nothing is unpacked."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UserError
from ...models.checks import shown
from ...progress import OnProgress, no_progress
from .images import Images

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"})
# Files come from outside: one image may not fill the memory, nor may all of them.
MOST_FILE_BYTES = 64 * 2**20
MOST_PIXELS = 64_000_000
MOST_BYTES = 16 * 2**30


@dataclass(frozen=True)
class _Entry:
    """One file: which class it shows, what it is called, and how to read its bytes."""

    label: str
    name: str
    read: Callable[[], bytes]


def read_image_folder(
    path: str | Path, resolution: int | None = None, on_progress: OnProgress = no_progress
) -> Images:
    """Read `path/class/image` (a folder, or a zip of that) as RGB; classes in alphabetical order.

    A folder around all class folders is passed over; so is what begins with a dot. With a
    `resolution` every image is scaled to cover that square and its middle is cut out; without one
    all have to have one size. Raises UserError naming the file for anything that is no image,
    encrypted, damaged or too large.
    """
    path = Path(path)
    with _entries(path) as entries:
        classes = tuple(sorted({entry.label for entry in entries}))
        if not entries:
            raise UserError(
                f"{path} has no images; they are expected as class/image "
                f"({', '.join(sorted(SUFFIXES))})."
            )
        pixels: np.ndarray | None = None
        labels = np.empty(len(entries), dtype=np.int64)
        for nth, entry in enumerate(entries):
            image = _decoded(path, entry, resolution)
            if pixels is None:
                _check_room(path, len(entries), image)
                pixels = np.empty((len(entries), *image.shape), dtype=np.uint8)
            if image.shape != pixels.shape[1:]:
                raise UserError(
                    f"{path}: {shown(entry.name)} is {image.shape[2]} x {image.shape[1]}, and "
                    f"{shown(entries[0].name)} is {pixels.shape[3]} x {pixels.shape[2]}; give a "
                    "`resolution` to bring all to one size."
                )
            pixels[nth], labels[nth] = image, classes.index(entry.label)
            on_progress(f"reading {path}", nth + 1, len(entries), "images")
    assert pixels is not None
    return Images(pixels, labels, classes, str(path))


def _check_room(path: Path, count: int, image: np.ndarray) -> None:
    needed = count * image.nbytes
    if needed > MOST_BYTES:
        raise UserError(
            f"{path}: {count} images of {image.shape[2]} x {image.shape[1]} take "
            f"{needed / 2**30:.0f} GiB, more than the {MOST_BYTES / 2**30:.0f} that are kept in "
            "memory; give a smaller `resolution` or fewer images."
        )


@contextmanager
def _entries(path: Path) -> Iterator[list[_Entry]]:
    """Open a folder or zip and give its images, by class and name."""
    if path.is_dir():
        found = [p for p in sorted(path.rglob("*")) if p.is_file()]
        readers = {str(p.relative_to(path).as_posix()): _reader_of_file(p) for p in found}
        yield _labelled(path, readers)
        return
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder of class folders, or a zip of one.")
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            readers = {info.filename: _reader_of_zip(path, archive, info) for info in infos}
            yield _labelled(path, readers)
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is no zip that can be read ({error}).") from None


def _reader_of_file(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(MOST_FILE_BYTES + 1)

    return read


def _reader_of_zip(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with archive.open(info) as file:
                return file.read(MOST_FILE_BYTES + 1)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile, OSError, EOFError) as error:
            raise UserError(f"{path}: {shown(info.filename)} cannot be read ({error}).") from None

    return read


def _labelled(path: Path, readers: dict[str, Callable[[], bytes]]) -> list[_Entry]:
    """Return the images among the files: the folder they lie in is their class."""
    parts = {
        name: PurePosixPath(name).parts
        for name in sorted(readers)
        if PurePosixPath(name).suffix.lower() in SUFFIXES
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    }
    outer = {of[0] for of in parts.values()}
    if len(outer) == 1 and all(len(of) > 2 for of in parts.values()):
        parts = {name: of[1:] for name, of in parts.items()}
    entries = []
    for name, of in parts.items():
        if len(of) != 2:
            raise UserError(
                f"{path}: {shown(name)} lies in {len(of) - 1} folders; images are expected as "
                "class/image."
            )
        entries.append(_Entry(of[0], name, readers[name]))
    return entries


def _decoded(path: Path, entry: _Entry, resolution: int | None) -> np.ndarray:
    """Return an image as 3 x height x width, uint8."""
    whole = opened_image(path, entry.name, entry.read(), "RGB")
    if resolution is not None and whole.size != (resolution, resolution):
        whole = square_of(whole, resolution)
    return np.asarray(whole, dtype=np.uint8).transpose(2, 0, 1)


def opened_image(path: Path, name: str, data: bytes, mode: str | None = None) -> Image.Image:
    """Return the image whose file `name` under `path` holds these bytes, read in full.

    mode: Pillow's name of what it is converted to, None for its own (of a palette, the indices).
    Raises UserError naming the file where it is too large, or no image that can be read.
    """
    from PIL import Image, UnidentifiedImageError

    if len(data) > MOST_FILE_BYTES:
        raise UserError(f"{path}: {shown(name)} has over {MOST_FILE_BYTES >> 20} MiB.")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore")
            if image.width * image.height > MOST_PIXELS:
                raise UserError(
                    f"{path}: {shown(name)} is {image.width} x {image.height}, over "
                    f"{MOST_PIXELS // 10**6} megapixels."
                )
            return image.copy() if mode is None else image.convert(mode)
    except UserError:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: {shown(name)} is no image that can be read ({reason}); take it out."
        ) from None


def square_of(image: Image.Image, side: int, nearest: bool = False) -> Image.Image:
    """Return the image scaled to cover a square, and the square's middle.

    nearest: no pixel between two others is made up, as for an image of class indices.
    """
    from PIL import Image

    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    scaled = image.resize((width, height), how)
    left, top = (width - side) // 2, (height - side) // 2
    return scaled.crop((left, top, left + side, top + side))
