"""The stand-in for a phone, as the ordinary tests have it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_FILE = Path(__file__).parents[1] / "backends" / "litert" / "android" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("stand_in_phone", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = _MODULE  # dataclasses look for their module there
_SPEC.loader.exec_module(_MODULE)
phone = _MODULE.phone
