"""Does an untrained model take as long as a trained one?

    python benchmarks/trained_weights.py [--rounds 200] [--steps 20] \
        [--out docs/results/trained_weights.md]

Untrained EfficientViTs are run with the weights that vitprof measures, with the CPU told to take
subnormal numbers for 0, and with weights of variance 1 / inputs, as vitprof had them before. Blocks
and models with vitprof's weights are run beside the same ones trained for a few steps. Each variant
has a session in a process of its own, and all take turns in random order. A ratio's interval is the
95 % bootstrap interval of the median over rounds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

import numpy as np
import torch
from report import heading, publish, table
from torch import nn
from vitprof.backends import OnnxRuntimeBackend, onnx_from_module, seeded_input
from vitprof.models import Block, Spec, create_model, create_spec
from vitprof.models.modules.folding import folded
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.tables import Setting

SIZES = ("m0", "m2", "m4", "m5")
CPU = Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime"))
BATCH, CLASSES, WARMUP, RESAMPLED = 8, 10, 3, 2000
# By model: the ops of which the last block in the model is compared too.
TRAINED = {"efficientvit-m0": ("cga", "ffn"), "deit-tiny": ("attention", "mlp")}


# --- what is compared ----------------------------------------------------------------------------


def untrained(subject: Spec | tuple[Block, ...]) -> bytes:
    return Workshop(CPU).build(subject)


def as_before(spec: Spec) -> bytes:
    """Return the model with weights of variance 1 / inputs and batch norms that do nothing."""
    model = create_model(spec)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in model.modules():
            is_norm = isinstance(part, (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d))
            for name, parameter in part.named_parameters(recurse=False):
                inputs = parameter[0].numel() if parameter.dim() > 1 else 0
                bound = (3 / inputs) ** 0.5 if inputs else 0.04
                parameter.uniform_(-bound, bound, generator=generator)
                if is_norm and name == "weight":
                    parameter.fill_(1.0)
    return exported(model, spec.blocks()[0])


def exported(module: nn.Module, first: Block) -> bytes:
    return onnx_from_module(folded(module), (1, *first.input_shape))


def trained(spec: Spec, steps: int) -> nn.Module:
    """Return the model after some steps of AdamW on noisy images of ten patterns."""
    torch.manual_seed(0)
    model = create_model(spec).train()
    shape = spec.blocks()[0].input_shape
    patterns = torch.randn(CLASSES, *shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        labels = torch.randint(CLASSES, (BATCH,))
        images = patterns[labels] + torch.randn(BATCH, *shape)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


# --- timing --------------------------------------------------------------------------------------


def serve(connection: Connection, artifact: bytes, flush: bool) -> None:
    """Answer each message with the milliseconds of one run; runs in a process of its own."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1" if flush else "0")
    session = onnxruntime.InferenceSession(artifact, options)
    fed = session.get_inputs()[0]
    values = {fed.name: seeded_input(tuple(fed.shape))}
    while connection.recv():
        started = time.perf_counter()
        session.run(None, values)
        connection.send(1e3 * (time.perf_counter() - started))


def interleaved(variants: Mapping[str, tuple[bytes, bool]], rounds: int) -> dict[str, np.ndarray]:
    """Return milliseconds by variant, one a round. A variant: an artifact, subnormals are 0."""
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    processes = []
    for name, (artifact, flush) in variants.items():
        ends[name], other = context.Pipe()
        process = context.Process(target=serve, args=(other, artifact, flush), daemon=True)
        process.start()
        processes.append(process)
    rng, order = random.Random(0), list(variants)
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(WARMUP + rounds):
        rng.shuffle(order)
        for name in order:
            ends[name].send(True)
            found[name].append(ends[name].recv())
    for end in ends.values():
        end.send(False)
    for process in processes:
        process.join()
    return {name: np.array(times[WARMUP:]) for name, times in found.items()}


def ratio(over: np.ndarray, under: np.ndarray) -> str:
    """Return the median over rounds of one variant's time over another's, with its interval."""
    ratios = over / under
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(ratios, (RESAMPLED, len(ratios))), axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return f"{np.median(ratios):.3f} ({low:.3f} to {high:.3f})"


# --- the two comparisons -------------------------------------------------------------------------


def subnormals(rounds: int) -> list[list[str]]:
    rows = []
    for size in SIZES:
        spec = create_spec(f"efficientvit-{size}")
        ours, before = untrained(spec), as_before(spec)
        found = interleaved(
            {
                "ours": (ours, False),
                "ours, flushed": (ours, True),
                "before": (before, False),
                "before, flushed": (before, True),
            },
            rounds,
        )
        rows.append(
            [
                spec.name,
                f"{np.median(found['ours']):.2f}",
                ratio(found["ours"], found["ours, flushed"]),
                ratio(found["before"], found["before, flushed"]),
                ratio(found["before"], found["ours"]),
            ]
        )
    return rows


def against_trained(rounds: int, steps: int) -> list[list[str]]:
    rows = []
    for name, ops in TRAINED.items():
        spec = create_spec(name)
        blocks = spec.blocks()
        model = trained(spec, steps)
        pairs: list[tuple[str, Callable[[], bytes], nn.Module, Block]] = [
            (name, lambda spec=spec: untrained(spec), model, blocks[0])  # type: ignore[misc]
        ]
        for op in ops:
            place = max(n for n, block in enumerate(blocks) if block.op == op)
            block = blocks[place]
            pairs.append(
                (
                    f"{block} of {name}",
                    lambda block=block: untrained((block,)),  # type: ignore[misc]
                    model.chain()[place].eval(),  # type: ignore[operator]
                    block,
                )
            )
        for label, build, module, first in pairs:
            found = interleaved(
                {"untrained": (build(), False), "trained": (exported(module, first), False)}, rounds
            )
            rows.append(
                [
                    label,
                    f"{np.median(found['trained']):.3f}",
                    ratio(found["untrained"], found["trained"]),
                ]
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    text = [
        heading("Random weights and trained ones"),
        "One thread, batch 1. Ratios of latencies are medians over rounds, with 95 % intervals.\n",
        "## Untrained models and subnormal numbers\n",
        table(
            (
                "model",
                "ms",
                "over the same with subnormals as 0",
                "weights as before, over the same with subnormals as 0",
                "weights as before, over those of now",
            ),
            subnormals(arguments.rounds),
        ),
        f"## Untrained over trained for {arguments.steps} steps\n",
        table(
            ("what", "trained, ms", "untrained over trained"),
            against_trained(arguments.rounds, arguments.steps),
        ),
    ]
    publish("\n".join(text), arguments.out)


if __name__ == "__main__":
    main()
