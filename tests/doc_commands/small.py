"""How a printed command line is accounted for, and what is put for its models, data and times.

A line is run here with small settings (`RUN`), is a form of a command that another test runs with
small settings (`ELSEWHERE`), or is only parsed, for a reason (`PARSED_ONLY`). The first rule that
matches a line's text decides; what no rule matches is unaccounted for, and fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a line needs that a test has not. Such a line is parsed by click all the same.
PARSED_ONLY = (
    (r"--device (t4|v100|a100|h100|h200)\b", "an NVIDIA GPU"),
    (r"--train-device cuda", "an NVIDIA GPU"),
    (r"--bundle \S*(t4|cuda|tensorrt)\S*", "an NVIDIA GPU"),
    (r"--provider CUDAExecutionProvider", "says what it says only where no GPU is"),
    (r"--provider GPU", "says what it says only where no GPU is"),
    (r"--device (mac|iphone\d+)|--bundle iphone", "a Mac, and an iPhone"),
    (r"--device (pixel\d*|galaxy\S*|android)\b|--bundle pixel", "a phone, or litert-torch"),
    (r"--ray\b", "a Ray cluster; tests/cli/test_ray.py has one of its own"),
    (r"torchrun", "several GPUs and ImageNet"),
    (r"litert|executorch", "an environment of its own, which make test-runtimes has"),
    (r"\bhf:|--download|google/|facebook/", "the network"),
    (r"imagenet|nvit/0|--recipe", "ImageNet"),
    (r"timm:|torchvision:", "the library timm, whose environment make test-timm has"),
    (r"--log (mlflow:http|wandb)", "a server; tests/verbs/tracking logs to files"),
    (r"mask2former", "a Mask2Former of 200 MB"),
)
# The same command with small settings, and the options of the line, in a test of its own.
ELSEWHERE = (
    (r"^--memory-limit", "tests/cli/test_main.py"),
    (r"^compare .*--runtimes", "tests/cli/commands/test_compare_runtimes.py"),
    (r"^choose .*--runtimes", "tests/cli/commands/test_choose_runtimes.py"),
    (r"^choose", "tests/cli/commands/test_choose.py"),
    (r"^gate .*--base-result", "tests/cli/commands/test_gate_base_result.py"),
    (r"^gate .*--(base|head|config)", "tests/cli/commands/test_gate.py"),
    (r"^pipeline", "tests/cli/commands/test_pipeline.py"),
    (r"^prune-heads", "tests/cli/commands/test_prune_heads.py"),
    (r"^distill", "tests/cli/commands/test_distill.py"),
    (r"^quantize", "tests/cli/commands/test_quantize.py"),
    (r"^(prune|eval) .*(bert|docstring|pruned/)", "tests/cli/test_prune_text.py"),
    (r"^prune .*vgg", "tests/cli/test_prune_vgg.py"),
    (r"^prune", "tests/cli/commands/prune/test_nvit.py"),
    (r"^bench-attention", "tests/cli/commands/test_bench_attention.py"),
    (r"^supernet", "tests/cli/commands/test_supernet.py"),
    (r"^(search|measure) .*supernet", "tests/cli/commands/test_search.py"),
    (r"^transfer", "tests/cli/commands/test_transfer.py"),
    (r"^table import|^predict .*(note10|v100)\.csv", "tests/cli/test_table_import.py"),
    (r"^table export (?!lut)", "tests/verbs/paper_tables/test_of_report.py"),
    (r"^table (push|pull)", "tests/cli/test_table_share.py"),
    (r"^bench .*--protocol", "tests/cli/commands/test_bench.py"),
    (r"^validate", "tests/cli/commands/test_validate.py"),
    (r"^ceilings", "tests/verbs/test_ceilings.py"),
    (r"^bench .*\.onnx", "tests/cli/commands/test_bench.py"),
    (r"^breakdown .*\.onnx", "tests/cli/commands/test_breakdown.py"),
    (r"--kernels|kernels\S*\.csv|\.onnx\b", "tests/profiler/test_foreign_table.py"),
    (r"^build|--bundle", "tests/cli/commands/test_build.py"),
    (r"^train .*(--keep|photos)", "tests/cli/commands/test_train_from_disk.py"),
    (r"^train .*--teacher", "tests/cli/commands/test_train.py"),
    (r"^impact", "tests/cli/commands/test_impact.py"),
    (r"^report .*(--run|--breakdown)", "tests/cli/commands/test_report.py"),
    (r"^variants .*--verify", "tests/cli/commands/test_variants.py"),
    (r"^calibrate", "tests/cli/commands/test_calibrate.py"),
    (r"^check-plugin", "tests/cli/commands/test_check_plugin.py"),
)
RUN = (
    *("predict", "compare", "gate", "variants", "report", "table", "models", "space", "search"),
    *("devices", "doctor", "schema", "completion", "train", "eval", "measure", "bench"),
    "breakdown",
)

MICRO = "vit-micro-8"
DROP = None
# Of commands that measure or train: what is put for an option's value; DROP takes it away.
REPLACED: dict[str, dict[str, str | None]] = {
    "measure": {
        "--out": "measured.csv",
        "--device": DROP,
        **dict.fromkeys(
            ("--model", "--family", "--space", "--ablations", "--grid", "--tokens", "--time")
        ),
        **dict.fromkeys(("--points", "--whole-models", "--sessions", "--merging", "--resolution")),
    },
    "bench": {"--model": MICRO, "--sustained": "1s", "--protocol": DROP},
    "breakdown": {"--model": MICRO, "--batch": "2", "--plot": "breakdown.png", "--top": DROP},
    "train": {"--model": MICRO, "--out": "digits", "--epochs": "1"},
    "eval": {"--data": "digits"},
    "compare --verify": {"--table": "measured.csv", "--model": "tiny.json"},
}
ADDED = {
    "measure": ("--space", "tiny.toml", "--sessions", "1", "--whole-models", "3", "--time", "2s"),
    "compare --verify": ("--time", "1s"),
    "doctor": ("--quick",),
    "search": ("--candidates", "500", "--population", "12", "--generations", "2"),
    "variants": ("--choices", "depth,qk"),  # all combinations take minutes
}
FLAGS = ("--merging",)


@dataclass(frozen=True)
class Account:
    """What becomes of a line: "run", "elsewhere" (`where` is the test) or "parsed" (the reason)."""

    kind: str
    where: str = ""


def account_of(arguments: list[str], text: str) -> Account | None:
    """Return what becomes of a line of vitprof's; None where no rule says."""
    said = " ".join(arguments)
    for pattern, reason in PARSED_ONLY:
        if re.search(pattern, text):
            return Account("parsed", reason)
    for pattern, test in ELSEWHERE:
        if re.search(pattern, said):
            return Account("elsewhere", test)
    return Account("run") if not arguments or arguments[0] in RUN else None


def small(arguments: list[str]) -> list[str]:
    """Return the arguments with small models, data and times; each replaced option stands once."""
    name = arguments[0] if arguments else ""
    key = "compare --verify" if name == "compare" and "--verify" in arguments else name
    replaced, made, seen = REPLACED.get(key, {}), [name] if name else [], set()
    rest = iter(arguments[1:])
    for word in rest:
        option, equals, _ = word.partition("=")
        if option not in replaced:
            made.append(word)
            continue
        if not equals and option not in FLAGS:
            next(rest)
        value = replaced[option]
        if value is not DROP and option not in seen:
            made += [option, value]
        seen.add(option)
    if name == "measure" and "--out" not in made:  # the default is a table that is there already
        made += ["--out", "measured.csv"]
    if name == "search" and "autovit-xxs" in made:  # a table of that space, not of ViTs
        made = [f"autovit-{word}" if word.endswith(".csv") else word for word in made]
    added = () if "--published" in made else ADDED.get(key, ())
    return [*made, *added]
