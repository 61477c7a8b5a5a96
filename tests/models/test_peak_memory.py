"""Memory counted on the meta device, against closed forms and what PyTorch allocates on a CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from math import prod
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from vitprof.models import Block, ViTSpec, create_block, create_spec
from vitprof.models.modules.live_memory import peak_bytes
from vitprof.models.peak_memory import activation_bytes, peak_memory_bytes

# A model of each family, and one whose ops no other has.
MODELS = ("deit-tiny", "autovit-xxs", "efficientvit-m1", "swin-tiny", "bert-base", "vgg16-bn")
# Whose convolutions, where they have any, need no workspace while most is held.
AS_ALLOCATED = (
    "attention",
    "mlp",
    "classifier",
    "mbconv",
    "mobilevit",
    "mbpool",
    "cga",
    "ffn",
    "window_attention",
    "token_merging",
)


def blocks_by_op() -> dict[str, Block]:
    """Return the first block of each op."""
    blocks = [block for name in MODELS for block in create_spec(name).blocks()]
    return {block.op: block for block in reversed(blocks)}


def allocated(block: Block, batch: int, folder: Path) -> int:
    """Return the most bytes that PyTorch's CPU allocator had given out at once, input included."""
    module, x = create_block(block), torch.randn(batch, *block.input_shape)
    # oneDNN's convolutions take workspaces that depend on the CPU.
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        module(x)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            module(x)
    profiler.export_chrome_trace(str(folder / "trace.json"))
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    now = peak = 0
    for event in sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"]):
        now += event["args"]["Bytes"]
        peak = max(peak, now)
    assert now == 0
    return peak + x.nbytes


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("op", AS_ALLOCATED)
def test_it_is_what_pytorch_allocates_on_a_cpu(op: str, tmp_path: Path) -> None:
    block = blocks_by_op()[op]
    assert activation_bytes(block, batch=2) == allocated(block, 2, tmp_path)


def test_a_wide_mlp_holds_most_while_gelu_runs() -> None:
    """The input, its norm (an argument of the branch that runs), and GELU's input and output."""
    block = Block.of("mlp", embed=16, mlp=64, tokens=7)
    assert activation_bytes(block) == 4 * 7 * (2 * 16 + 2 * 64)


def test_a_narrow_mlp_holds_most_while_its_last_layer_runs_or_adds() -> None:
    """The input, its norm, GELU's output and the last layer's."""
    block = Block.of("mlp", embed=16, mlp=8, tokens=7)
    assert activation_bytes(block) == 4 * 7 * (3 * 16 + 8)


def test_a_convolution_holds_most_while_its_norm_runs() -> None:
    """The input, the convolution's map, its norm's, and that norm's mean and deviation."""
    block = Block.of(
        "conv", in_channels=3, out_channels=8, kernel=3, stride=2, resolution=16, activation=4
    )
    assert activation_bytes(block) == 4 * (3 * 16 * 16 + 2 * 8 * 8 * 8 + 2 * 8)


def test_a_patch_embedding_holds_most_while_positions_are_added() -> None:
    """The image, the patches, the class token, the sequence they make, and the sum."""
    block = Block.of("patch_embed", embed=24, in_channels=3, resolution=16, kernel=4, prefix=1)
    assert activation_bytes(block) == 4 * (3 * 16 * 16 + 16 * 24 + 24 + 2 * 17 * 24)


def test_activations_grow_with_the_batch_and_weights_do_not() -> None:
    block = Block.of("attention", embed=24, heads=3, qk=8, v=8, tokens=17)
    two, four, six = (activation_bytes(block, batch=batch) for batch in (2, 4, 6))
    assert (four, six) == (2 * two, 3 * two)
    spec = create_spec("deit-tiny")
    two, four = (peak_memory_bytes(spec, batch=batch) for batch in (2, 4))
    assert four - two == two - 4 * spec.params


def test_half_precision_takes_half() -> None:
    block = Block.of("attention", embed=24, heads=3, qk=8, v=8, tokens=17)
    assert activation_bytes(block, bytes_per_value=2) == activation_bytes(block) // 2
    spec = create_spec("deit-tiny")
    assert peak_memory_bytes(spec, bytes_per_value=2) == peak_memory_bytes(spec) // 2


def test_whole_numbers_keep_their_width() -> None:
    """A BERT's words are of 8 bytes whatever its activations are of."""
    block = create_spec("bert-base").blocks()[0]
    words = 8 * block.input_shape[0]
    half, full = (activation_bytes(block, bytes_per_value=width) for width in (2, 4))
    assert full - words == 2 * (half - words)


def test_a_model_needs_its_weights_and_its_largest_block() -> None:
    spec = create_spec("autovit-xxs")
    largest = max(activation_bytes(block) for block in spec.blocks())
    assert peak_memory_bytes(spec) == 4 * spec.params + largest
    assert largest > max(block.bytes() - 4 * block.params_read for block in spec.blocks())


def test_every_op_of_every_family_can_be_followed() -> None:
    merging = ViTSpec.uniform(24, 3, 3, resolution=32, merges=(1, 1, 0), patch=8)
    for block in [*blocks_by_op().values(), *merging.blocks()]:
        assert activation_bytes(block) >= 4 * prod(block.input_shape), block
        assert activation_bytes(block) >= 4 * prod(block.output_shape), block


def test_layers_behind_the_second_hold_what_it_holds() -> None:
    block = blocks_by_op()["mobilevit"]
    for depth in (1, 2, 5):
        deep = Block.of("mobilevit", **{**block.as_dict(), "depth": depth})
        assert activation_bytes(deep) == peak_bytes(deep, 1, 4)


def test_random_numbers_are_not_drawn() -> None:
    before = torch.get_rng_state()
    activation_bytes(Block.of("mlp", embed=17, mlp=19, tokens=23))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("batch", "width"), [(0, 4), (1, 0), (1.5, 4)])
def test_counts_below_one_are_refused(refused, batch, width) -> None:
    with refused("must be a whole number"):
        activation_bytes(Block.of("mlp", embed=4, mlp=4, tokens=4), batch, width)


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, vitprof.models.peak_memory; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
