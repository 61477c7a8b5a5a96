"""All images of a source in memory, as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...models.checks import shown
from ...progress import OnProgress, no_progress
from .image_file import opened_image
from .images import Images
from .sources.folder_source import FolderSource
from .sources.source import ImageSource
from .sources.zip_source import ZipSource
from .stored_pixels import channels_first, check_room
from .view import View


def read_image_folder(
    path: str | Path, resolution: int | None = None, on_progress: OnProgress = no_progress
) -> Images:
    """Read `path/class/image` (a folder, or a zip of that) as RGB; classes in alphabetical order.

    With a `resolution` every image is scaled to cover that square and its middle is cut out;
    without one all have to have one size. Raises UserError naming the file for anything that is no
    image, encrypted, damaged or too large.
    """
    view = None if resolution is None else View(resolution)
    return images_in_memory(folder_or_zip(Path(path)), view, on_progress)


def folder_or_zip(path: Path) -> ImageSource:
    """Return the source that a path is; UserError where there is nothing."""
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder of class folders, or a zip of one.")
    return ZipSource(path)


def images_in_memory(
    source: ImageSource, view: View | None, on_progress: OnProgress = no_progress
) -> Images:
    """Decode every image; UserError where they have several sizes and there is no view."""
    pixels: np.ndarray | None = None
    for index in range(len(source)):
        whole = opened_image(source.name, source.name_of(index), source.read(index), "RGB")
        image = channels_first(whole if view is None else view.of(whole))
        if pixels is None:
            check_room(source.name, len(source) * image.nbytes, len(source), image.shape[2])
            pixels = np.empty((len(source), *image.shape), dtype=np.uint8)
        if image.shape != pixels.shape[1:]:
            raise UserError(
                f"{source.name}: {shown(source.name_of(index))} is {image.shape[2]} x "
                f"{image.shape[1]}, and {shown(source.name_of(0))} is {pixels.shape[3]} x "
                f"{pixels.shape[2]}; give a `resolution` to bring all to one size."
            )
        pixels[index] = image
        on_progress(f"reading {source.name}", index + 1, len(source), "images")
    assert pixels is not None
    return Images(pixels, np.asarray(source.labels), source.classes, source.name)
