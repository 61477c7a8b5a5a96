"""What native code writes to standard error, kept from the terminal."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator

_MOST_BYTES = 4_000


class NativeWords:
    """What was written; `text` is there once the block is over."""

    text = ""


@contextlib.contextmanager
def native_words() -> Iterator[NativeWords]:
    """Catch what is written to `sys.stderr` and to file descriptor 2 inside the block.

    ExecuTorch's runtime explains an error on one of the two: which one, depends on who loaded it.
    It also says much that is not an error. Not for a timed window.
    """
    words = NativeWords()
    stderr_text = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr_text), _of_descriptor(words):
            yield words
    finally:
        words.text = (stderr_text.getvalue() + words.text)[-_MOST_BYTES:]


@contextlib.contextmanager
def _of_descriptor(words: NativeWords) -> Iterator[None]:
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _MOST_BYTES))
            words.text = file.read().decode(errors="replace")
