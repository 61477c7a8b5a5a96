"""The Python blocks of the pages: which are run here, with what put for models and times."""

from __future__ import annotations

from .collect import Fence, all_fences

# What a block says first, or says at all -> why it is compiled and not run here.
ONLY_COMPILED = (
    ("from_vit_widths", "run by tests/tables/grids/test_block_arrays.py"),
    ("AutoViTSpec(", "leaves out stages by an ellipsis"),
    ("CoreMlBackend()", "needs a Mac"),
    ("vitprof.gate(base=", "run by tests/cli/commands/test_gate.py"),
    ('vitprof.measure(vitprof.plan("vit")', "run by tests/examples/test_quickstart.py"),
    (
        "Load vit-base-patch16-224-0.54x",
        "a file that pruning writes: tests/verbs/test_handed_back.py",
    ),
    ("my_runtime.py", "an example of a plug-in: tests/backends has one of its own"),
    ("METHOD = Halves()", "an example of a plug-in"),
    ('"vit_cifar10", table', "run by tests/verbs/test_prune.py"),
    ("vitprof.report(", "run by tests/verbs/report_page/test_report.py"),
    ("vitprof.compare_runtimes(", "run by tests/verbs/test_compare_runtimes.py"),
    ('search_models(\n    "supernet"', "run by tests/verbs/test_search_models.py"),
    ("run_search(problem", "run by tests/search/algorithms/test_algorithms.py"),
    ("load_mask2former", "run by tests/cli/test_prune_segmentation.py"),
    ("pull_tables(", "run by tests/verbs/test_share_tables.py"),
    ("vitprof.train(", "run by tests/verbs/test_train.py"),
)
SMALL = (
    ('vitprof.breakdown("deit-tiny"', 'vitprof.breakdown("vit-micro-8"'),
    ('vitprof.bench("deit-tiny"', 'vitprof.bench("vit-micro-8"'),
    ('sustained="10m"', 'sustained="1s"'),
)


def python_blocks() -> list[Fence]:
    return [fence for fence in all_fences() if fence.language in ("python", "py")]


def text_of(fence: Fence) -> str:
    return "\n".join(fence.lines)


def only_compiled(fence: Fence) -> str | None:
    """Return why a block is not run here; None where it is."""
    text = text_of(fence)
    return next((reason for part, reason in ONLY_COMPILED if part in text), None)


def small_text(fence: Fence) -> str:
    """Return the block with small models and times; `import vitprof` goes before a fragment."""
    text = text_of(fence)
    for old, new in SMALL:
        text = text.replace(old, new)
    return f"import vitprof\n{text}"
