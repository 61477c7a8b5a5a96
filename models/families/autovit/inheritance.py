"""What an AutoViT inherits of a larger one."""

from __future__ import annotations

from collections.abc import Callable

from ...block import Block
from ...inheritance.slices import (
    Inheritance,
    Ranges,
    Slice,
    check_same,
    check_within,
    first,
    joined,
    middle,
)
from .spec import AutoViTSpec
from .stages import MBConvStage, TransformerStage


def inherited_autovit(supernet: AutoViTSpec, subnet: AutoViTSpec) -> dict[str, Slice]:
    """Return what each of the subnet's tensors is of the supernet's.

    A subnet may have fewer transformer stages, the first ones; its MBPool follows on its last. A
    smaller kernel is the middle of a larger one (Cai et al. 2019 (Once-for-All), section 3).
    Raises UserError naming the first thing in which the subnet does not fit.
    """
    _check(supernet, subnet)
    numbers = {place: number for number, place in enumerate(_places(supernet))}
    own, of = subnet.blocks(), supernet.blocks()
    found = Inheritance()
    for number, place in enumerate(_places(subnet)):
        source = numbers[place]
        block = own[number]
        # What a stage's fields do not show: MBPool sees the channels of the subnet's last stage.
        dims = {n: v for n, v in block.as_dict().items() if n not in ("resolution", "activation")}
        check_within(f"{place}: ", dims, of[source].as_dict())
        _ADD[block.op](found, f"blocks.{number}", f"blocks.{source}", block, of[source])
    return found.slices


def _places(spec: AutoViTSpec) -> list[str]:
    """Return for each block where it stands, which is the same in every subnet that has it."""
    convs = [
        f"mbconvs[{stage}], block {index}"
        for stage, conv in enumerate(spec.mbconvs)
        for index in range(conv.depth)
    ]
    hybrids = [
        f"transformers[{stage}], {part}"
        for stage in range(len(spec.transformers))
        for part in ("MBConv", "layers")
    ]
    return ["the stem", *convs, *hybrids, "MBPool", "the classifier"]


def _conv_norm(
    found: Inheritance, name: str, source: str, outputs: int, inputs: Ranges, kernel: Ranges
) -> None:
    """Add a convolution and its batch norm, which `ConvNorm` calls `conv` and `bn`."""
    dims = (first(outputs), inputs, kernel, kernel)
    found.add(f"{name}.conv.weight", f"{source}.conv.weight", *dims)
    found.batch_norm(f"{name}.bn", f"{source}.bn", outputs)


def _conv(found: Inheritance, name: str, source: str, block: Block, of: Block) -> None:
    kernel = middle(block["kernel"], of["kernel"])
    inputs = first(block["in_channels"])
    _conv_norm(found, f"{name}.conv", f"{source}.conv", block["out_channels"], inputs, kernel)


def _mbconv(found: Inheritance, name: str, source: str, block: Block, of: Block) -> None:
    hidden = block["expansion"] * block["in_channels"]
    kernel = middle(block["kernel"], of["kernel"])
    point = first(1)
    if block["expansion"] > 1:
        inputs = first(block["in_channels"])
        _conv_norm(found, f"{name}.expand.conv", f"{source}.expand.conv", hidden, inputs, point)
    # One input channel a group.
    depthwise = "depthwise.conv"
    _conv_norm(found, f"{name}.{depthwise}", f"{source}.{depthwise}", hidden, first(1), kernel)
    outputs = block["out_channels"]
    _conv_norm(found, f"{name}.project", f"{source}.project", outputs, first(hidden), point)


def _hybrid(found: Inheritance, name: str, source: str, block: Block, of: Block) -> None:
    channels, embed = block["in_channels"], block["embed"]
    kernel, point = middle(block["kernel"], of["kernel"]), first(1)
    own_dims = (block["heads"], block["qk"], block["v"])
    of_dims = (of["heads"], of["qk"], of["v"])

    def conv(part: str, inputs: Ranges, kernel: Ranges) -> None:
        _conv_norm(found, f"{name}.{part}.conv", f"{source}.{part}.conv", channels, inputs, kernel)

    conv("local", first(channels), kernel)
    dims = (first(embed), first(channels), point, point)
    found.add(f"{name}.widen.weight", f"{source}.widen.weight", *dims)
    for index in range(block["depth"]):
        layer, of_layer = f"{name}.layers.{index}", f"{source}.layers.{index}"
        hidden = first(block["mlp"])
        found.layer_norm(f"{layer}.norm1", f"{of_layer}.norm1", embed)
        found.attention(f"{layer}.attn", f"{of_layer}.attn", embed, own_dims, of_dims)
        found.layer_norm(f"{layer}.norm2", f"{of_layer}.norm2", embed)
        found.linear(f"{layer}.mlp.fc1", f"{of_layer}.mlp.fc1", hidden, first(embed))
        found.linear(f"{layer}.mlp.fc2", f"{of_layer}.mlp.fc2", first(embed), hidden)
    found.layer_norm(f"{name}.norm", f"{source}.norm", embed)
    conv("narrow", first(embed), point)
    # It sees the block's input beside the layers' result.
    both = (0, channels), (of["in_channels"], of["in_channels"] + channels)
    conv("fuse", joined(both), kernel)


def _pool(found: Inheritance, name: str, source: str, block: Block, of: Block) -> None:
    inner, inputs = block["mlp"], first(block["in_channels"])
    _conv_norm(found, f"{name}.expand.conv", f"{source}.expand.conv", inner, inputs, first(1))
    found.linear(f"{name}.mix", f"{source}.mix", first(block["out_channels"]), first(inner))


def _classifier(found: Inheritance, name: str, source: str, block: Block, of: Block) -> None:
    found.linear(name, source, first(block["classes"]), first(block["embed"]))


_ADD: dict[str, Callable[[Inheritance, str, str, Block, Block], None]] = {
    "conv": _conv,
    "mbconv": _mbconv,
    "mobilevit": _hybrid,
    "mbpool": _pool,
    "linear_classifier": _classifier,
}


def _check(supernet: AutoViTSpec, subnet: AutoViTSpec) -> None:
    check_same("", _frame(subnet), _frame(supernet))
    check_within("", _sizes(subnet), _sizes(supernet))
    for name in ("mbconvs", "transformers"):
        stages = zip(getattr(subnet, name), getattr(supernet, name), strict=False)
        for index, (stage, of) in enumerate(stages):
            _check_stage(f"{name}[{index}].", stage, of)


def _check_stage(
    what: str, stage: MBConvStage | TransformerStage, of: MBConvStage | TransformerStage
) -> None:
    dims = dict(vars(stage))
    check_same(what, {"stride": dims.pop("stride")}, vars(of))
    check_within(what, dims, vars(of))


def _sizes(spec: AutoViTSpec) -> dict[str, int]:
    """Return the dims of which a subnet may have less."""
    names = ("stem_width", "stem_kernel", "pool_width", "pool_expansion")
    return {**{n: getattr(spec, n) for n in names}, "transformers": len(spec.transformers)}


def _frame(spec: AutoViTSpec) -> dict[str, object]:
    """Return what a subnet has in common with its supernet."""
    names = ("resolution", "patch", "in_channels", "classes", "activation")
    return {**{n: getattr(spec, n) for n in names}, "mbconvs": len(spec.mbconvs)}
