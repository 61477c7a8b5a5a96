from __future__ import annotations

import onnxruntime
from vitprof.backends.installed import installed


def test_versions_of_what_is_and_is_not_there() -> None:
    assert installed("onnxruntime") == onnxruntime.__version__
    assert installed("no-such-package-anywhere") is None
