"""What native code writes to standard error, kept from the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

_MOST_BYTES = 4_000


class NativeWords:
    """What was written; `text` is there once the block is over."""

    text = ""


@contextlib.contextmanager
def native_words() -> Iterator[NativeWords]:
    """Catch what this process writes to file descriptor 2 inside the block.

    ExecuTorch's runtime explains an error there, and only there; it also says much that is no
    error. Not for a timed window.
    """
    words = NativeWords()
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield words
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield words
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _MOST_BYTES))
            words.text = file.read().decode(errors="replace")
