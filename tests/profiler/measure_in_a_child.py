"""Measure a scripted table in a process of its own: it is killed, or may write only so much.

Arguments: the table, seconds a run really takes, and the most bytes a file may have (0: any).
Each time progress is made the points done so far are printed.
"""

from __future__ import annotations

import resource
import signal
import sys
import time

# The folder of a script is the first place Python imports from.
from conftest import SCRIPTED_SETTING, ScriptedBackend, plan_of, quick_protocol
from vitprof.errors import UserError
from vitprof.profiler.measure import measure_table
from vitprof.profiler.target import Target

WIDTHS = (8, 16, 24, 32, 40, 48)


def main(out: str, run_s: float, most_bytes: int) -> int:
    backend = ScriptedBackend(on_run=lambda: time.sleep(run_s))
    if most_bytes:
        import torch  # noqa: F401  # while it may still write its caches

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        measure_table(
            plan_of(*WIDTHS),
            Target(backend, SCRIPTED_SETTING),
            out,
            protocol=quick_protocol(sessions=2, group=2),
            on_progress=lambda *told: print(told[-1].partition("/")[0], flush=True),
            clock=backend.clock,
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
