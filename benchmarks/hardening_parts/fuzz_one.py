"""One parser under atheris, in this process: `python -m hardening_parts.fuzz_one NAME ...`.

What is called is instrumented as it is imported: libFuzzer sees which inputs reach new code.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vitprof", "json", "tomllib", "yaml", "csv"]):
    from vitprof.errors import UserError
    from vitprof.models import Spec
    from vitprof.spaces import registry
    from vitprof.tables import LatencyTable
    from vitprof.untrusted import arrays, files, structured

from .parsers import PARSERS

INSTRUMENTED = (Spec, registry, LatencyTable, arrays, files, structured)


def main() -> None:
    _, read = PARSERS[sys.argv[1]]
    place = Path(os.environ["HARDENING_FILE"])

    def once(data: bytes) -> None:
        place.write_bytes(data)
        try:
            read(place)
        except UserError as error:
            if "\n" in str(error) or not str(error).isprintable():
                raise AssertionError("it is not a printable sentence") from error

    atheris.Setup([sys.argv[0], *sys.argv[2:]], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
