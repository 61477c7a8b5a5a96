"""An image out of the bytes of its file, whoever wrote them."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from ...errors import UserError
from ...shown import one_line, shown
from ...untrusted.limits import PIXELS
from .sources.source import MOST_FILE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

MOST_PIXELS = 64_000_000


def opened_image(path: Path | str, name: str, data: bytes, mode: str | None = None) -> Image.Image:
    """Return the image whose file `name` under `path` holds these bytes, read in full.

    mode: Pillow's name of what it is converted to, None for its own (of a palette, the indices).
    Raises UserError naming the file where it is too large, or no image that can be read.
    """
    from PIL import Image, UnidentifiedImageError

    if len(data) > MOST_FILE_BYTES:
        raise UserError(f"{path}: {shown(name)} has over {MOST_FILE_BYTES >> 20} MiB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # before it is opened: that warns too
            image = Image.open(io.BytesIO(data))
            pixels = image.width * image.height
            PIXELS.check(pixels, f"{path}: the number of pixels of {shown(name)} is", MOST_PIXELS)
            return image.copy() if mode is None else image.convert(mode)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # its decoders raise what they like for a damaged file
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "its format is unknown" if unknown else one_line(str(error))[:120]
        raise UserError(
            f"{path}: {shown(name)} is not an image that can be read ({reason}); remove it."
        ) from None
