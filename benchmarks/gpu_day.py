"""The first day on an NVIDIA GPU: everything that needs one, in under ten minutes, as one report.

    python benchmarks/gpu_day.py [--folder gpu-day] [--parts ways two_four] [--rehearse]

It needs torch with CUDA, and vitprof need not be installed: the source tree is enough. Nothing is
fetched. Each part runs in a process of its own, for a limited time: one that fails, crashes or
hangs costs the others nothing, keeps the rows it had, and the report says why. The report is
docs/results/gpu/NAME.md. With --folder a second call runs what has not ended well yet.
"""

from __future__ import annotations

import sys

from gpuday.day import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], __doc__))
