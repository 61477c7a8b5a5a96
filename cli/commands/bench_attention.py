"""`vitprof bench-attention`: what fused (flash) attention gains here, and from which length on."""

from __future__ import annotations

from pathlib import Path

import click

from ..options.completed import complete_model
from ..options.data import train_device_option
from ..options.renamed import RenamedOption
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.attention import note_doubtful_cases, print_attention


@click.command(
    "bench-attention",
    epilog="Example: vitprof bench-attention --model vit-micro-8 --batches 1,8 --tokens 64,256 "
    "--out attention  |  vitprof bench-attention --model deit-base --batches 16,32,64 --dtype "
    "fp32,fp16 --train-device cuda --out attention",
)
@click.option(
    "--model",
    default="deit-base",
    show_default=True,
    shell_complete=complete_model,
    help="A ViT by name, a spec's JSON file or the folder of a model.",
)
@click.option("--layers", type=click.IntRange(1), help="Use only this many of its layers.")
@click.option(
    "--batches",
    default="16,32,64",
    show_default=True,
    help="Batch sizes of the whole model; none leaves it out.",
)
@click.option(
    "--tokens",
    default="64,128,256,512,1024,2048",
    show_default=True,
    help="Lengths of one attention block; none leaves it out.",
)
@click.option(
    "--block-batch",
    default=1,
    show_default=True,
    type=click.IntRange(1, 65536),
    help="Sequences in a batch of the block.",
)
@click.option(
    "--dtype",
    "dtypes",
    cls=RenamedOption,
    old=["--dtypes"],
    default="fp32,bf16",
    show_default=True,
    help="fp32, and fp16 or bf16 by autocast.",
)
@click.option(
    "--modes",
    default="training,inference",
    show_default=True,
    help="What is timed: training steps, inference, or both.",
)
@click.option("--warmup", default=5, show_default=True, type=click.IntRange(0, 10000))
@click.option(
    "--runs",
    default=50,
    show_default=True,
    type=click.IntRange(3, 100000),
    help="Timed iterations of each.",
)
@click.option(
    "--threads",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1024),
    help="PyTorch's threads, of a CPU.",
)
@train_device_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@wait_option
@json_option
def bench_attention(
    model: str,
    layers: int | None,
    batches: str,
    tokens: str,
    block_batch: int,
    dtypes: str,
    modes: str,
    warmup: int,
    runs: int,
    threads: int,
    train_device: str,
    out: Path,
    as_json: bool,
) -> int:
    """Time fused against plain attention: training steps and inference, of a model and a block.

    Both take turns, with 5 untimed and 50 timed iterations each, as in the Efficient-ViT paper.
    """
    from ...verbs.bench_attention import bench_attention as time_attention

    result = time_attention(
        model,
        layers=layers,
        batches=batches,
        tokens=tokens,
        block_batch=block_batch,
        dtypes=dtypes,
        modes=modes,
        warmup=warmup,
        runs=runs,
        threads=threads,
        train_device=train_device,
        out=out,
        progress=not as_json,
    )
    if as_json:
        print_json(result.report() | {"out": str(out)})
    else:
        print_attention(result)
        for remark in result.where_it_pays:
            note(remark)
        note(f"written: {out}")
    note_doubtful_cases(result)
    return int(result.is_doubtful)
