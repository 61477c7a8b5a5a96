"""`vitprof.bench_attention`: what fused (flash) attention gains here, and from which length on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic_write import holds_something
from ..errors import UserError, did_you_mean
from ..progress import OnProgress, ProgressOption, shown_progress
from ..results import Result, plain
from .inputs import Path as ModelPath
from .inputs import spec_of

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from matplotlib.figure import Figure

    from ..models import Spec, ViTSpec
    from ..profiler.attention.timing import Case, Compared

LARGEST = 1_000_000
Numbers = Sequence[int] | str
Names = Sequence[str] | str


@dataclass(frozen=True)
class AttentionResult(Result):
    """Fused against plain attention, a case each; `hardware` is the CPU's or GPU's name."""

    cases: Sequence[Compared]
    spec: ViTSpec
    hardware: str
    threads: int
    layers: int | None = None
    on_gpu: bool = False

    @property
    def title(self) -> str:
        """What was timed on what."""
        from ..tables.picture import threads_in_words

        of_layers = f", {self.layers} of its {len(self.spec.layers)} layers" if self.layers else ""
        title = f"{self.hardware}: PyTorch, {self.spec.name or 'a ViT'}{of_layers}"
        return title if self.on_gpu else f"{title}, {threads_in_words(self.threads)}"

    @property
    def is_doubtful(self) -> bool:
        """Whether a case could not be timed."""
        return any(one.error for one in self.cases)

    @property
    def where_it_pays(self) -> list[str]:
        """For each dtype and mode, from which length on fusing is faster beyond doubt."""
        from ..profiler.attention.report import where_it_pays

        return where_it_pays(self.cases)

    def report(self) -> dict[str, Any]:
        """Return the machine and every case: ms, ratios with their 95 % interval, peak bytes."""
        import torch

        return {
            "device": self.hardware,
            "torch": torch.__version__,
            "threads": self.threads,
            "model": self.spec.name,
            "layers": self.layers or len(self.spec.layers),
            "cases": [one.as_dict() for one in self.cases],
            "where_it_pays": self.where_it_pays,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a case."""
        import pandas as pd

        return pd.DataFrame([one.as_dict() for one in self.cases])

    def figure(self) -> Figure:
        """Return plain / fused over batches, and over the length of a sequence."""
        from ..profiler.attention.plot import draw_attention

        return draw_attention(self.cases, self.title)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write attention.csv, .md and .png, and report.json; UserError where it cannot be."""
        from ..atomic_write import made_folder, write_atomically
        from ..profiler.attention.report import to_csv, to_markdown

        out = Path(folder)
        made_folder(out)
        write_atomically(out / "attention.csv", to_csv(self.cases))
        write_atomically(out / "attention.md", to_markdown(self.cases, self.hardware))
        self.plot(out / "attention.png")
        report = plain(self.report() | {"out": str(folder)})
        write_atomically(out / "report.json", json.dumps(report, indent=2) + "\n")


def bench_attention(
    model: ModelPath | Spec = "deit-base",
    *,
    layers: int | None = None,
    batches: Numbers = (16, 32, 64),
    tokens: Numbers = (64, 128, 256, 512, 1024, 2048),
    block_batch: int = 1,
    dtypes: Names = ("fp32", "bf16"),
    modes: Names = ("training", "inference"),
    warmup: int = 5,
    runs: int = 50,
    threads: int = 1,
    train_device: str = "auto",
    out: str | os.PathLike[str] | None = None,
    progress: ProgressOption = False,
) -> AttentionResult:
    """Time fused against plain attention: training steps and inference, of a model and a block.

    Both take turns, as in the paper on Efficient-ViT (once-train optimization, section IV.A).

    Args:
        model: A ViT that merges no tokens.
        layers: Only so many of its layers.
        batches: Batches of the whole model; none leave it out.
        tokens: Lengths of one attention block; none leave it out.
        block_batch: Sequences in a batch of the block.
        dtypes: fp32, and fp16 or bf16 by autocast.
        modes: "training", "inference".
        warmup: Untimed iterations of each.
        runs: Timed iterations of each.
        threads: PyTorch's threads, of a CPU.
        train_device: "auto", "cpu", "cuda" or "cuda:1".
        out: Folder to write table, picture and report to.
        progress: Show a bar on stderr, or call this function.

    Returns:
        Medians in ms and the ratio plain / fused of every case.

    Raises:
        UserError: A model that is no such ViT, an unknown dtype or mode, or nothing to time.

    Example:
        >>> import vitprof
        >>> result = vitprof.bench_attention("vit-micro-8", batches=[1, 8])  # doctest: +SKIP
        >>> result.where_it_pays  # doctest: +SKIP
    """
    import torch

    from ..backends import cpu_facts
    from ..profiler.target import kept_device
    from ..tables.setting import PartialSetting
    from ..training.torch_device import find_torch_device

    spec = _fusable(spec_of(model))
    device = find_torch_device(train_device)
    short = spec if layers is None else spec.with_layers(layers)
    cases = list(_cases(spec, batches, tokens, block_batch, dtypes, modes))
    if out is not None and holds_something(out):
        raise UserError(f"{out} is not empty; give another `out`.")
    on_cpu = device.type == "cpu"
    kept = kept_device(PartialSetting(threads=threads), "vitprof bench-attention")
    with kept if on_cpu else nullcontext(), shown_progress(progress) as on_progress:
        found = _timed(short, cases, device, warmup, runs, threads, on_progress)
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else str(cpu_facts()["cpu"])
    result = AttentionResult(found, spec, name, threads, layers, on_gpu)
    if out is not None:
        result.save(out)
    return result


def _fusable(spec: Spec) -> ViTSpec:
    from ..models import ViTSpec

    if not isinstance(spec, ViTSpec):
        raise UserError(f"{spec.name} is not a ViT, whose attention could be fused.")
    if any(spec.merges):
        raise UserError(f"{spec.name} merges tokens, which needs the attention to be plain.")
    return spec


def _cases(
    spec: ViTSpec,
    batches: Numbers,
    tokens: Numbers,
    block_batch: int,
    dtypes: Names,
    modes: Names,
) -> Iterator[Case]:
    from ..profiler.attention.timing import DTYPES, MODES, cases

    in_dtypes = _names("dtypes", dtypes, tuple(DTYPES))
    in_modes: Any = _names("modes", modes, MODES)
    of_model, of_block = _numbers("batches", batches), _numbers("tokens", tokens)
    if not of_model and not of_block:
        raise UserError("nothing is to be timed: `batches` and `tokens` are both none.")
    yield from cases("model", in_modes, in_dtypes, of_model, [spec.tokens])
    yield from cases("block", in_modes, in_dtypes, [block_batch], of_block)


def _numbers(name: str, given: Numbers) -> list[int]:
    """Return whole numbers above 0, each once; of "none" none."""
    if isinstance(given, str) and given.strip() == "none":
        return []
    try:
        found = [int(part) for part in (given.split(",") if isinstance(given, str) else given)]
    except (TypeError, ValueError):
        found = [0]
    if not all(0 < number <= LARGEST for number in found):
        raise UserError(f"`{name}` {given} is not a list of whole numbers above 0, such as 16,32.")
    return list(dict.fromkeys(found))


def _names(name: str, given: Names, known: Sequence[str]) -> list[str]:
    found = [part.strip() for part in (given.split(",") if isinstance(given, str) else given)]
    for one in found:
        if one not in known:
            raise UserError(f"`{name}`: '{one}' is not known{did_you_mean(one, known)}.")
    return list(dict.fromkeys(found))


def _timed(
    spec: ViTSpec,
    cases: Sequence[Case],
    device: torch.device,
    warmup: int,
    runs: int,
    threads: int,
    on_progress: OnProgress,
) -> list[Compared]:
    import torch

    from ..profiler.attention.timing import compare_block, compare_model
    from ..profiler.target import kept_device, locked_device
    from ..tables.setting import PartialSetting

    keep = kept_device if device.type == "cpu" else locked_device
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = []
    try:
        with keep(PartialSetting(threads=threads), "vitprof bench-attention"):
            for nth, case in enumerate(cases):

                def on_run(done: int, total: int, case: Case = case) -> None:
                    on_progress("this case", done, total, case.in_words)

                found.append(
                    compare_model(spec, case, device, warmup, runs, on_run=on_run)
                    if case.what == "model"
                    else compare_block(
                        spec.embed, spec.layers[0], case, device, warmup, runs, on_run=on_run
                    )
                )
                on_progress("cases", nth + 1, len(cases), "")
    finally:
        torch.set_num_threads(before)
    return found
