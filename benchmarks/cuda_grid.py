"""DeiT-S's and -B's blocks on an NVIDIA GPU: dtypes, dense against 2:4, graph against eager.

    python benchmarks/cuda_grid.py [--out docs/results/cuda_grid.md] [--folder cuda-run]

And how far the table of the GPU can be trusted on 50 models it never saw. Needs a GPU that
`vitprof devices` knows and a torch that can use it. A second call goes on in the same folder.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from pathlib import Path

from fidelity import vitprof
from report import heading, publish, table
from vitprof.backends import Device, devices
from vitprof.backends.machine.nvidia_gpus import nvidia_gpus
from vitprof.models import Block, create_spec
from vitprof.tables import LatencyTable

MODELS = ("deit-small", "deit-base")
DTYPES, SPARSITIES, GRAPHS = ("bf16", "fp16"), ("dense", "2:4"), ("none", "cuda_graph")


def device_here() -> Device:
    gpus = nvidia_gpus()
    if not gpus:
        raise SystemExit("cuda_grid.py: no NVIDIA driver answers on this machine.")
    for device in devices().values():
        if device.is_gpu(gpus[0]):
            return device
    raise SystemExit(f"cuda_grid.py: '{gpus[0].name}' is not a device of backends/devices.toml.")


def measure(device: Device, folder: Path, dtype: str, sparsity: str, graph: str) -> LatencyTable:
    """Return the table of DeiT-B's and everything narrower's blocks in one setting."""
    path = folder / f"{dtype}-{sparsity.replace(':', '')}-{graph}.csv"
    vitprof(
        "measure",
        "--device",
        device.name,
        "--backend",
        "cuda",
        "--model",
        "deit-base",
        "--dtype",
        dtype,
        "--sparsity",
        sparsity,
        "--graph",
        graph,
        "--out",
        str(path),
        *(("--whole-models", "0") if sparsity == "2:4" else ()),
    )
    return LatencyTable.read_csv(path)


def in_words(found: LatencyTable, block: Block) -> str:
    for row in found.block_rows:
        if row.subject == block:
            return "failed" if row.verdict == "failed" else f"{1e3 * row.latency_ms:.1f}"
    return f"{1e3 * found.predict_block(block).ms:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    parser.add_argument("--folder", default="cuda-run")
    arguments = parser.parse_args()
    device, folder = device_here(), Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        setting: measure(device, folder, *setting)
        for setting in itertools.product(DTYPES, SPARSITIES, GRAPHS)
    }
    blocks = list(dict.fromkeys(b for name in MODELS for b in create_spec(name).blocks()))
    columns = ["block, µs", *(", ".join(setting) for setting in found)]
    rows = [[str(block), *(in_words(t, block) for t in found.values())] for block in blocks]
    whole = statistics.median(
        row.latency_ms
        for row in found[("fp16", "dense", "cuda_graph")].block_rows
        if row.verdict != "failed"
    )
    result = vitprof(
        "validate",
        "--table",
        str(folder / "fp16-dense-cuda_graph.csv"),
        "--samples",
        "50",
        "--plot",
        str(folder / "validate.png"),
    )
    errors, floor = result["table"], result["noise_floor"]
    text = (
        heading(f"{device.title}: DeiT-S's and -B's blocks")
        + f"\n{found[('fp16', 'dense', 'none')].environment['runtime']}\n\n"
        + table(columns, rows)
        + f"\nMedian block of the fp16 graph table: {1e3 * whole:.1f} µs.\n\n"
        + table(
            ("50 unseen models, fp16, dense, CUDA graph", "target", "measured"),
            [
                ["MAPE", "≤ 3 %", f"{errors['mape']:.2%}"],
                ["within ±10 %", "100 %", f"{errors['within_10']:.0%}"],
                ["noise floor", "", f"{floor['mape']:.2%}"],
            ],
        )
    )
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
