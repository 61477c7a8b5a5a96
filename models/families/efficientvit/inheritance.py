"""What an EfficientViT inherits of a larger one."""

from __future__ import annotations

from ...block import Block
from ...inheritance.slices import (
    Inheritance,
    Ranges,
    Slice,
    check_same,
    check_within,
    first,
    joined,
    of_heads,
)
from ...ops.codes import code
from .ops import ATTENTIONS, kernels_of
from .spec import EfficientViTSpec

_OF_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
_OF_LAYER_NORM = ("weight", "bias")
_CGA = code(ATTENTIONS, "cga", "attention")


def inherited_efficientvit(
    supernet: EfficientViTSpec, subnet: EfficientViTSpec
) -> dict[str, Slice]:
    """Return what each of the subnet's tensors is of the supernet's.

    Each tensor is the first part along every dim; of the rows that give queries, keys and values
    the first ones of each. A head sees fewer channels than the supernet's head: the first ones of
    its weights (as W[:out, :in] of each linear layer, Kong et al. 2025, section 3.4).
    Raises UserError naming the first thing in which the subnet does not fit.
    """
    _check(supernet, subnet)
    return _Inheriting(supernet, subnet).slices


class _Inheriting:
    """Slices of all blocks, under the names that `model.py` gives them."""

    def __init__(self, supernet: EfficientViTSpec, subnet: EfficientViTSpec) -> None:
        self._found = Inheritance()
        self._has_batch_norm = subnet.norm == "batch"
        self._channels = subnet.in_channels
        self._stem(subnet.stem_block())
        pairs = zip(subnet.stages, supernet.stages, subnet.qks, supernet.qks, strict=True)
        before: tuple[int, int] | None = None
        for number, (stage, of, qk, of_qk) in enumerate(pairs):
            side = subnet.sides[number]
            ffn = subnet.ffn_blocks(stage.embed, side)
            if before is not None:
                name = f"stages.{number}.downsample"
                self._ffns(f"{name}.res1", ("0", "1"), subnet.ffn_blocks(*before))
                merging = subnet.merging_block(before[0], stage.embed, before[1])
                self._merging(f"{name}.patchmerge", merging)
                self._ffns(f"{name}.res2", ("0", "1"), ffn)
            attention = subnet.attention_block(stage, side, qk)
            of_attention = supernet.attention_block(of, side, of_qk)
            for index in range(stage.depth):
                name = f"stages.{number}.blocks.{index}"
                for place, count in ((0, subnet.ffns_before), (1, subnet.ffns_after)):
                    for again in range(count):
                        suffix = f"{place}" if again == 0 else f"{place}_{again}"
                        self._ffns(name, (f"dw{suffix}", f"ffn{suffix}"), ffn)
                self._attention(f"{name}.mixer.m.attn", attention, of_attention)
            before = (stage.embed, side)
        self._classifier(subnet.classifier_block())

    @property
    def slices(self) -> dict[str, Slice]:
        return self._found.slices

    def _norm(self, name: str, rows: Ranges) -> None:
        parts = _OF_BATCH_NORM if self._has_batch_norm else _OF_LAYER_NORM
        for part in parts:
            self._found.add(f"{name}.{part}", f"{name}.{part}", rows)
        if self._has_batch_norm:
            self._found.add(f"{name}.num_batches_tracked", f"{name}.num_batches_tracked")

    def _conv(self, name: str, outputs: Ranges, inputs: Ranges, kernel: int = 1) -> None:
        """Add a convolution and its norm."""
        square = first(kernel)
        self._found.add(
            f"{name}.conv.weight", f"{name}.conv.weight", outputs, inputs, square, square
        )
        self._norm(f"{name}.bn" if self._has_batch_norm else f"{name}.norm", outputs)

    def _stem(self, block: Block) -> None:
        inputs = self._channels
        for number, part in enumerate((8, 4, 2, 1), start=1):
            width = block["embed"] // part
            self._conv(f"patch_embed.conv{number}", first(width), first(inputs), 3)
            inputs = width

    def _ffns(self, name: str, names: tuple[str, str], blocks: list[Block]) -> None:
        """Add a token interaction, where there is one, and an FFN."""
        for own, block in zip(names[-len(blocks) :], blocks, strict=True):
            embed = first(block["embed"])
            if block.op == "dwconv":
                self._conv(f"{name}.{own}.m", embed, first(1), block["kernel"])
                continue
            hidden = first(block["mlp"])
            self._conv(f"{name}.{own}.m.pw1", hidden, embed)
            self._conv(f"{name}.{own}.m.pw2", embed, hidden)

    def _attention(self, name: str, block: Block, of: Block) -> None:
        heads, qk, v, embed = (block[axis] for axis in ("heads", "qk", "v", "embed"))
        of_qk, tokens = of["qk"], block["window"] ** 2
        rows = joined([(0, qk), (of_qk, of_qk + qk), (2 * of_qk, 2 * of_qk + v)])
        inputs = first(embed // heads if block["attention"] == _CGA else embed)
        for head, kernel in enumerate(kernels_of(block["kernels"], heads)):
            self._conv(f"{name}.qkvs.{head}", rows, inputs)
            if kernel > 1:
                self._conv(f"{name}.dws.{head}", first(qk), first(1), kernel)
        self._conv(f"{name}.proj.1", first(embed), joined(of_heads(heads, v, of["v"])))
        biases, places = f"{name}.attention_biases", f"{name}.attention_bias_idxs"
        self._found.add(biases, biases, first(heads), first(tokens))
        self._found.add(places, places, first(tokens), first(tokens))

    def _merging(self, name: str, block: Block) -> None:
        inputs, outputs = block["in_channels"], block["out_channels"]
        hidden, point = first(4 * inputs), first(1)
        self._conv(f"{name}.conv1", hidden, first(inputs))
        self._conv(f"{name}.conv2", hidden, point, 3)
        for own, wide, narrow in (("fc1", first(inputs), hidden), ("fc2", hidden, first(inputs))):
            part = f"{name}.se.{own}"
            self._found.add(f"{part}.weight", f"{part}.weight", wide, narrow, point, point)
            self._found.add(f"{part}.bias", f"{part}.bias", wide)
        self._conv(f"{name}.conv3", first(outputs), hidden)

    def _classifier(self, block: Block) -> None:
        embed = first(block["embed"])
        self._norm("head.bn", embed)
        self._found.linear("head.linear", "head.linear", first(block["classes"]), embed)


def _check(supernet: EfficientViTSpec, subnet: EfficientViTSpec) -> None:
    check_same("", _frame(subnet), _frame(supernet))
    pairs = zip(subnet.stages, supernet.stages, strict=True)
    for number, (stage, of) in enumerate(pairs):
        what, side = f"stages[{number}].", subnet.sides[number]
        check_within(what, vars(stage), vars(of))
        block = subnet.attention_block(stage, side, subnet.qks[number]).as_dict()
        of_block = supernet.attention_block(of, side, supernet.qks[number]).as_dict()
        check_within(what, {axis: block[axis] for axis in ("qk", "v")}, of_block)
        mlp = {"mlp": subnet.mlp(stage.embed)}
        check_within(what, mlp, {"mlp": supernet.mlp(of.embed)})
        if subnet.attention == "cga":
            split = {"embed/heads": stage.embed // stage.heads}
            check_within(what, split, {"embed/heads": of.embed // of.heads})


def _frame(spec: EfficientViTSpec) -> dict[str, object]:
    """Return what a subnet has in common with its supernet."""
    names = (
        "ffns_before",
        "ffns_after",
        "attention",
        "cascade",
        "dwconv",
        "window",
        "kernels",
        "norm",
        "activation",
        "resolution",
        "in_channels",
        "classes",
    )
    return {"stages": len(spec.stages), **{n: getattr(spec, n) for n in names}}
