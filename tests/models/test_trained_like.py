"""Random weights: activations stay small, softmax outputs normal, and equal builds equal bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from vitprof.backends import BackendOptions, OnnxRuntimeBackend, seeded_input
from vitprof.backends.random_input import input_dtype
from vitprof.backends.two_four import prune_two_four
from vitprof.models import (
    BertSpec,
    Block,
    EfficientViTSpec,
    Spec,
    SwinSpec,
    ViTSpec,
    create_model,
    create_spec,
)
from vitprof.models.modules.trained_like import TARGET, fill_as_trained
from vitprof.profiler.plan import Subject
from vitprof.profiler.random_module import random_module
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.spaces.registry import find_search_space
from vitprof.tables import Setting

LARGEST_ACTIVATION = 1e3
# Swin masks what are not neighbours by -100: these outputs vanish in trained models too.
MASKED = -50.0


def efficientvit(name: str, **changed: Any) -> EfficientViTSpec:
    spec = create_spec(name)
    assert isinstance(spec, EfficientViTSpec)
    return replace(spec, **changed)


def twice_as_deep(narrower: int = 1) -> EfficientViTSpec:
    spec = efficientvit("efficientvit-m5")
    stages = tuple(
        replace(stage, depth=2 * stage.depth, embed=stage.embed // narrower)
        for stage in spec.stages
    )
    return replace(spec, stages=stages, name="m5-twice-as-deep")


def largest_of(space: str) -> Spec:
    found = find_search_space(space)
    return found.spec(found.largest(), space)


PLAIN = {"attention": "mhsa", "cascade": False, "window": 14}
# As deep as the known models and search spaces and with their longest sequences; narrow, since
# width changes nothing that is asked here.
DEEP: dict[str, Callable[[], Spec]] = {
    "vit": lambda: ViTSpec.uniform(64, 24, 2, name="vit"),
    "vit-long": lambda: ViTSpec.uniform(64, 4, 2, resolution=384, name="vit"),
    "bert": lambda: BertSpec.uniform(64, 24, 2, vocab=100, name="bert"),
    "bert-long": lambda: BertSpec.uniform(64, 4, 2, tokens=512, vocab=100, name="bert"),
    "swin": lambda: SwinSpec.uniform(16, (2, 2, 18, 2), (1, 2, 2, 4), name="swin"),
    "vgg": lambda: create_spec("vgg19-bn-cifar"),
    "autovit": lambda: create_spec("autovit-xxs"),
    "efficientvit": lambda: efficientvit("efficientvit-m0"),
    "efficientvit-deep": lambda: twice_as_deep(narrower=4),
    "efficientvit-layer-norm": lambda: efficientvit(
        "efficientvit-m0", norm="layer", activation="gelu", **PLAIN
    ),
    "efficientvit-narrow-queries": lambda: efficientvit("efficientvit-m0", qk=4, **PLAIN),
}
LARGE: dict[str, Callable[[], Spec]] = {
    "vit": lambda: create_spec("vit-large"),
    "bert": lambda: largest_of("bert"),
    "swin": lambda: create_spec("swin-small"),
    "vgg": lambda: create_spec("vgg19-bn"),
    "autovit": lambda: largest_of("autovit-s"),
    "efficientvit": lambda: largest_of("efficientvit"),
}
BLOCKS = [
    Block.of("attention", embed=192, heads=3, qk=64, v=64, tokens=577),
    Block.of("mlp", embed=192, mlp=768, tokens=197),
    Block.of("patch_embed", embed=64, resolution=32, kernel=4, in_channels=3, prefix=1),
    Block.of("text_embedding", embed=64, vocab=100, positions=64, types=2, tokens=32),
]


def with_slow_ones(names: Iterable[str], fast: Sequence[str]) -> list[Any]:
    return [n if n in fast else pytest.param(n, marks=pytest.mark.slow) for n in names]


@dataclass
class Seen:
    """The largest number of all, and how many softmax outputs were not normal."""

    largest: float = 0.0
    softmax_outputs: int = 0
    subnormal: int = 0

    def add(self, values: np.ndarray) -> None:
        # np.maximum, unlike max, keeps a NaN, which is below no limit.
        self.largest = float(np.maximum(self.largest, np.abs(values).max(initial=0)))

    def add_softmax(self, logits: np.ndarray, outputs: np.ndarray) -> None:
        kept = outputs[~(logits <= MASKED)]
        self.softmax_outputs += kept.size
        # What underflowed to 0 is as bad, and so is a NaN.
        self.subnormal += int((~(kept >= np.finfo(outputs.dtype).tiny)).sum())

    def check(self) -> None:
        assert self.largest < LARGEST_ACTIVATION
        assert self.subnormal == 0


class Watching(TorchDispatchMode):
    """Looks at what every torch operation inside the block returns."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.is_floating_point():
            if func is torch.ops.aten._softmax.default:
                self.seen.add_softmax(args[0].numpy(), result.numpy())
            else:
                self.seen.add(result.detach().numpy())
        return result


def example_of(module: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(seeded_input((1, *shape), input_dtype(module, "fp32")))


def seen_in_torch(module: nn.Module, example: torch.Tensor, dtype: torch.dtype) -> Seen:
    with torch.no_grad(), Watching() as watching:
        module.to(dtype)(example.to(dtype) if example.is_floating_point() else example)
    return watching.seen


def seen_in_int8(module: nn.Module, shape: tuple[int, ...]) -> Seen:
    """Return the same of ONNX Runtime in int8, each tensor of floats an output of the graph."""
    built = OnnxRuntimeBackend().build(module, (1, *shape), BackendOptions(dtype="int8"))
    model = onnx.load_model_from_string(built)
    given = {output.name for output in model.graph.output}
    names = [
        name for node in model.graph.node for name in node.output if name and name not in given
    ]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    fed = session.get_inputs()[0]
    words = "int64" if fed.type == "tensor(int64)" else "fp32"
    outputs = session.run(None, {fed.name: seeded_input(tuple(fed.shape), words)})
    found = dict(zip([output.name for output in session.get_outputs()], outputs, strict=True))
    # Sums of integers, before they are scaled to what they stand for.
    unscaled = {node.output[0] for node in model.graph.node if node.op_type == "Cast"}
    softmaxes = {
        node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Softmax"
    }
    seen = Seen()
    for name, values in found.items():
        if name in softmaxes:
            seen.add_softmax(found[softmaxes[name]], values)
        elif values.dtype == np.float32 and name not in unscaled:
            seen.add(values)
    return seen


def filled_as_before(subject: Spec) -> nn.Module:
    """Return the model with weights of variance 1 / inputs and batch norms that do nothing."""
    module = create_model(subject)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in module.modules():
            is_norm = isinstance(part, (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d))
            for name, parameter in part.named_parameters(recurse=False):
                inputs = parameter[0].numel() if parameter.dim() > 1 else 0
                bound = (3 / inputs) ** 0.5 if inputs else 0.04
                parameter.uniform_(-bound, bound, generator=generator)
                if is_norm and name == "weight":
                    parameter.fill_(1.0)
    return module


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["fp32", "fp16"])
@pytest.mark.parametrize("name", DEEP)
def test_deep_models_compute_sane_numbers(name: str, dtype: torch.dtype) -> None:
    module, shape = random_module(DEEP[name]())
    seen = seen_in_torch(module, example_of(module, shape), dtype)
    seen.check()
    assert (seen.softmax_outputs > 0) == (name != "vgg")


@pytest.mark.parametrize("name", with_slow_ones(DEEP, fast=("vit-long", "bert-long")))
@pytest.mark.few("vit", "bert-long", "vit-long", "efficientvit")
def test_deep_models_compute_sane_numbers_in_int8(name: str) -> None:
    seen = seen_in_int8(*random_module(DEEP[name]()))
    seen.check()
    assert (seen.softmax_outputs > 0) == (name != "vgg")


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
@pytest.mark.few("bert", "swin", "efficientvit", "autovit")
def test_large_models_compute_sane_numbers(name: str) -> None:
    module, shape = random_module(LARGE[name]())
    seen_in_torch(module, example_of(module, shape), torch.float32).check()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.op)
def test_lone_blocks_compute_sane_numbers(block: Block) -> None:
    module, shape = random_module((block,))
    for dtype in (torch.float32, torch.float16):
        seen_in_torch(module, example_of(module, shape), dtype).check()
    seen_in_int8(module.float(), shape).check()


def test_with_weights_of_variance_1_over_inputs_they_do_not() -> None:
    module = filled_as_before(twice_as_deep())
    seen = seen_in_torch(module, torch.from_numpy(seeded_input((1, 3, 224, 224))), torch.float32)
    assert seen.largest > 1e6
    assert seen.subnormal > 100


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(efficientvit("efficientvit-m0"), marks=pytest.mark.slow, id="model"),
        pytest.param(create_spec("vit-micro-8"), id="small model"),
        pytest.param((BLOCKS[0],), id="block"),
        pytest.param((BLOCKS[1], BLOCKS[1]), id="two blocks"),
    ],
)
def test_equal_builds_are_equal_bytes_on_any_number_of_threads(subject: Subject) -> None:
    workshop = Workshop(Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime")))
    threads = torch.get_num_threads()
    built = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            built.append(workshop.build(subject))
    finally:
        torch.set_num_threads(threads)
    assert built[0] == built[1]


class Foreign(nn.Module):
    """Layers of others: a group norm, a layer that runs twice, attention by functions, a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 32, 2, stride=2)
        self.group = nn.GroupNorm(4, 32)
        self.batch = nn.BatchNorm2d(32)
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.again = nn.Linear(32, 32)
        self.scale = nn.Parameter(torch.ones(32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.batch(self.group(self.up(x))).flatten(2).transpose(1, 2)
        for _ in range(40):
            x = x + self.again(x)
        x = nn.functional.layer_norm(x, (32,))
        return self.scale * (x + self.attention(x, x, x, need_weights=False)[0])


def root_mean_square(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


def test_layers_of_a_foreign_module_give_outputs_of_the_target_size() -> None:
    torch.manual_seed(0)
    module, example = Foreign().eval(), torch.randn(1, 3, 8, 8)
    fill_as_trained(module, example)
    given: dict[str, list[float]] = {"up": [], "batch": [], "again": []}
    for name, found in given.items():
        part = module.get_submodule(name)
        part.register_forward_hook(
            lambda _, __, output, found=found: found.append(root_mean_square(output))
        )
    with torch.no_grad():
        module(example)
    # A factor is rounded to 2^(1/8), which is half of it off at most: 4.4 %.
    for found in given.values():
        assert found[0] == pytest.approx(TARGET, rel=0.05)
    assert len(given["again"]) == 40


def test_a_module_keeps_its_hooks_and_its_mode() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).eval()
    fill_as_trained(module, torch.randn(1, 4))
    assert not module.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_an_output_of_zeros_leaves_its_layer_as_it_is() -> None:
    layer = nn.Linear(4, 4, bias=False)
    fill_as_trained(layer, torch.zeros(1, 4))
    assert torch.isfinite(layer.weight).all()
    assert 0 < layer.weight.abs().max() <= TARGET


@pytest.mark.parametrize("inputs", [64, 2027, 3 * 2027])
def test_weights_repeat_themselves_and_yet_no_two_rows_are_equal(inputs: int) -> None:
    module = nn.Sequential(nn.Linear(inputs, 300), nn.Linear(300, 300), nn.Linear(300, 300)).eval()
    fill_as_trained(module, torch.randn(1, inputs))
    for layer in module:
        assert len(torch.unique(layer.weight)) <= 2027 < layer.weight.numel()
        assert len(torch.unique(layer.weight, dim=0)) == 300
        for dtype in (np.float32, np.float16):
            numbers = layer.weight.detach().numpy().astype(dtype)
            period = numbers.itemsize * 2027
            assert len(zlib.compress(numbers)) < period + numbers.nbytes / 60
    assert not torch.equal(module[1].weight, module[2].weight), "or a runtime would keep one"


def test_two_four_masks_repeat_within_what_deflate_looks_back() -> None:
    layer = nn.Linear(768, 768).eval()
    fill_as_trained(layer, torch.randn(1, 768))
    prune_two_four(layer, "fp32")
    numbers = layer.weight.detach().numpy()
    assert (numbers == 0).mean() == 0.5
    assert len(zlib.compress(numbers)) < 0.02 * numbers.nbytes
