"""An image out of the bytes of its file, whoever wrote them."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from ...errors import UserError
from ...models.checks import shown
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
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "its format is unknown" if unknown else " ".join(str(error).split())[:120]
        raise UserError(
            f"{path}: {shown(name)} is no image that can be read ({reason}); take it out."
        ) from None
