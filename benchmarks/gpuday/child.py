"""One part in its own process: python -m gpuday.child MODULE PART-FOLDER DAY-FOLDER SECONDS [MODE].

Its end is told by the exit code, and why by the file `error`: one line. On SIGUSR1 and on a crash
every thread's stack is written to the file `stack`.
"""

from __future__ import annotations

import faulthandler
import importlib
import signal
import sys
import traceback
from pathlib import Path

from .findings import Findings


def main(arguments: list[str]) -> int:
    module, folder, day, seconds, *mode = arguments
    part = Path(folder)
    with (part / "stack").open("w") as stack:
        faulthandler.enable(file=stack)
        faulthandler.register(signal.SIGUSR1, file=stack, all_threads=True)
        try:
            from .rig import Rig

            rig = Rig(Path(day), float(seconds), rehearse=mode == ["rehearse"])
            importlib.import_module(module).run(rig, Findings(part / "findings.json"))
        except Exception as error:
            traceback.print_exc()
            words = " ".join(str(error).split())[:600]
            (part / "error").write_text(f"{type(error).__name__}: {words}", encoding="utf-8")
            return 1
        finally:
            faulthandler.disable()
            faulthandler.unregister(signal.SIGUSR1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
