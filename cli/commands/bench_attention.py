"""`vitprof bench-attention`: what fused (flash) attention gains here, and from which length on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..deployed_models import check_new
from ..options.training import find_torch_device, step_bar, train_device_option
from ..output import json_option, note, plain, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from ...models import ViTSpec
    from ...profiler.attention.timing import Case, Compared

LARGEST = 1_000_000


@click.command(
    "bench-attention",
    epilog="Example: vitprof bench-attention --model vit-micro-8 --batches 1,8 --tokens 64,256 "
    "--out attention  |  vitprof bench-attention --model deit-base --batches 16,32,64 --dtypes "
    "fp32,fp16 --train-device cuda --out attention",
)
@click.option("--model", default="deit-base", show_default=True,
              help="A ViT by name, a spec's JSON file or the folder of a model.")  # fmt: skip
@click.option("--layers", type=click.IntRange(1), help="Only so many of its layers.")
@click.option("--batches", default="16,32,64", show_default=True,
              help="Batches of the whole model; none leaves it out.")  # fmt: skip
@click.option("--tokens", default="64,128,256,512,1024,2048", show_default=True,
              help="Lengths of one attention block; none leaves it out.")  # fmt: skip
@click.option("--block-batch", default=1, show_default=True, type=click.IntRange(1, 65536),
              help="Sequences in a batch of the block.")  # fmt: skip
@click.option("--dtypes", default="fp32,bf16", show_default=True,
              help="fp32, and fp16 or bf16 by autocast.")  # fmt: skip
@click.option("--modes", default="training,inference", show_default=True)
@click.option("--warmup", default=5, show_default=True, type=click.IntRange(0, 10000))
@click.option("--runs", default=50, show_default=True, type=click.IntRange(3, 100000),
              help="Timed iterations of each.")  # fmt: skip
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 1024),
              help="PyTorch's threads, of a CPU.")  # fmt: skip
@train_device_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@json_option
def bench_attention(
    model: str, layers: int | None, batches: str, tokens: str, block_batch: int, dtypes: str,
    modes: str, warmup: int, runs: int, threads: int, train_device: str, out: Path, as_json: bool,
) -> int:  # fmt: skip
    """Time fused against plain attention: training steps and inference, of a model and a block.

    Both take turns, 5 untimed and 50 timed iterations each, as in the paper on Efficient-ViT.
    """
    from ...models import ViTSpec, create_spec
    from ...profiler.attention.report import where_it_pays

    spec = create_spec(model)
    if not isinstance(spec, ViTSpec):
        raise UserError(f"{spec.name} is no ViT, whose attention could be fused.")
    if any(spec.merges):
        raise UserError(f"{spec.name} merges tokens, which needs the attention to be plain.")
    device = find_torch_device(train_device)
    wanted = list(_cases(spec, layers, batches, tokens, block_batch, dtypes, modes))
    check_new(out)
    results = _measured(spec, wanted, device, layers, warmup, runs, threads, as_json)
    report = _write(results, spec, device, layers, threads, out)
    if as_json:
        print_json(report)
    else:
        _print(results)
        for remark in where_it_pays(results):
            note(remark)
        note(f"written: {out}")
    for one in results:
        if one.error:
            note(f"failed: {_words(one.case)}: {one.error}")
    return int(any(one.error for one in results))


def _cases(
    spec: ViTSpec, layers: int | None, batches: str, tokens: str, block_batch: int, dtypes: str,
    modes: str,
) -> Iterator[Case]:  # fmt: skip
    from ...profiler.attention.timing import DTYPES, MODES, cases

    if layers is not None and layers > len(spec.layers):
        raise UserError(f"--layers {layers}: {spec.name} has {len(spec.layers)}.")
    in_dtypes = _chosen("--dtypes", dtypes, tuple(DTYPES))
    in_modes: Any = _chosen("--modes", modes, MODES)
    of_model, of_block = _numbers("--batches", batches), _numbers("--tokens", tokens)
    if not of_model and not of_block:
        raise UserError("nothing is to be timed: --batches and --tokens are both none.")
    yield from cases("model", in_modes, in_dtypes, of_model, [spec.tokens])
    yield from cases("block", in_modes, in_dtypes, [block_batch], of_block)


def _numbers(option: str, text: str) -> list[int]:
    if text.strip() == "none":
        return []
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if not all(0 < number <= LARGEST for number in found):
        raise UserError(f"{option} {text} is no list of whole numbers above 0, such as 16,32.")
    return list(dict.fromkeys(found))


def _chosen(option: str, text: str, known: tuple[str, ...]) -> list[str]:
    from ...errors import did_you_mean

    found = [part.strip() for part in text.split(",")]
    for one in found:
        if one not in known:
            raise UserError(f"{option}: '{one}' is not known{did_you_mean(one, known)}.")
    return list(dict.fromkeys(found))


def _measured(
    spec: ViTSpec, wanted: list[Case], device: torch.device, layers: int | None, warmup: int,
    runs: int, threads: int, quiet: bool,
) -> list[Compared]:  # fmt: skip
    import torch

    from ...profiler.attention.timing import compare_block, compare_model, with_layers
    from ...profiler.target import kept_device, locked_device
    from ...tables.setting import PartialSetting

    keep = kept_device if device.type == "cpu" else locked_device
    on_cpu = PartialSetting(threads=threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = []
    short = with_layers(spec, layers)
    try:
        with keep(on_cpu, "vitprof bench-attention"), step_bar(not quiet) as show:
            for nth, case in enumerate(wanted):

                def on_run(done: int, total: int, case: Case = case) -> None:
                    show("this case", done, total, _words(case))

                found.append(
                    compare_model(short, case, device, warmup, runs, on_run=on_run)
                    if case.what == "model"
                    else compare_block(
                        spec.embed, spec.layers[0], case, device, warmup, runs, on_run=on_run
                    )
                )
                show("cases", nth + 1, len(wanted), "")
    finally:
        torch.set_num_threads(before)
    return found


def _write(
    results: list[Compared], spec: ViTSpec, device: torch.device, layers: int | None, threads: int,
    out: Path,
) -> dict[str, Any]:  # fmt: skip
    import json

    import torch

    from ...atomic_write import write_atomically
    from ...backends import cpu_facts
    from ...profiler.attention.plot import plot_attention
    from ...profiler.attention.report import to_csv, to_markdown, where_it_pays
    from ...tables.picture import threads_in_words

    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else str(cpu_facts()["cpu"])
    of_layers = "" if layers is None else f", {layers} of its {len(spec.layers)} layers"
    title = f"{name}: PyTorch, {spec.name or 'a ViT'}{of_layers}"
    title += "" if on_gpu else f", {threads_in_words(threads)}"
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "attention.csv", to_csv(results))
    write_atomically(out / "attention.md", to_markdown(results, name))
    plot_attention(results, title, out / "attention.png")
    report = {
        "device": name,
        "torch": torch.__version__,
        "threads": threads,
        "model": spec.name,
        "layers": layers or len(spec.layers),
        "cases": [one.as_dict() for one in results],
        "where_it_pays": where_it_pays(results),
        "out": str(out),
    }
    write_atomically(out / "report.json", json.dumps(plain(report), indent=2) + "\n")
    return report


def _words(case: Case) -> str:
    what = f"batch {case.batch}" if case.what == "model" else f"{case.tokens} tokens"
    return f"{case.mode}, {case.dtype}, {what}"


def _print(results: list[Compared]) -> None:
    print_table(
        ("case", "fused ms", "plain ms", "plain / fused", "95 % interval"),
        [
            (
                f"{one.case.what}: {_words(one.case)}",
                "-" if one.error else f"{one.fused_ms:.4g}",
                "-" if one.error else f"{one.plain_ms:.4g}",
                "-" if one.error else f"{one.speedup:.2f}",
                "-" if one.error else f"{one.low:.2f} .. {one.high:.2f}",
            )
            for one in results
        ],
    )
