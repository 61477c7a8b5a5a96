"""BERTs: which widths and sequence lengths are measured, and which are searched."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from ..errors import UserError
from ..models import BertSpec, Spec, ViTLayer
from .layered import LayeredSpace, Levels, layer_levels
from .slabs import WIDTH_STEP, Grids, Slab, fractions, parse_tokens, width_in
from .staged_slabs import StagedSlabs, intersection

# BERT-tiny's to BERT-large's widths, and what pruning leaves of their heads and neurons; all have
# heads of 64.
WIDTHS = {
    "embed": (128, 256, 512, 768, 1024),
    "heads": (1, 4, 12, 16),
    "qk": (64,),
    "v": (64,),
    "mlp": (128, 512, 1536, 3072, 4096),
}
ENDS: Levels = {
    "text_embedding": {"embed": (128, 512, 1024)},
    "text_classifier": {"embed": WIDTHS["embed"]},
}
# Why 3072 floats have a neighbour: see vit.py.
DEFAULT_LEVELS = layer_levels(WIDTHS, ENDS, beside=(3040,))
# GLUE's sequences are cut to 128; attention grows with the square, so two levels are too few.
DEFAULT_TOKENS = (32, 64, 128)
VOCAB, POSITIONS, TYPES, CLASSES = 30_522, 512, 2, 2
DEPTHS = (2, 12)


class BertSlabs(StagedSlabs):
    """Slabs of embedding, attention, MLP and classifier at every sequence length.

    Between two lengths a table interpolates, so the slabs of one op keep the same levels.
    """

    name = "bert"
    ops = ("text_embedding", "attention", "mlp", "text_classifier")
    widths = frozenset({"embed", "heads", "qk", "v", "mlp"})
    # The largest models are those of the longest sequences, which matter most.
    whole_models_up_to = 0.9

    @classmethod
    def create(
        cls,
        spec: Spec | None = None,
        *,
        resolution: int | None = None,
        patch: int | None = None,
        classes: int | None = None,
    ) -> Self:
        for option, value in (("resolution", resolution), ("patch", patch)):
            if value is not None:
                raise UserError(
                    f"`{option}` is for models of images; the family '{cls.name}' has `tokens`."
                )
        if spec is None:
            return cls(tuple(cls.default_slabs(None, classes)))
        text: Any = spec
        return cls.covering(text if classes is None else replace(text, classes=classes))

    @classmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        frames = {
            "text_embedding": {"vocab": VOCAB, "positions": POSITIONS, "types": TYPES},
            "text_classifier": {"classes": classes or CLASSES},
        }
        return _at_lengths(DEFAULT_LEVELS, frames, DEFAULT_TOKENS)

    @classmethod
    def covering(cls, spec: Spec) -> Self:
        """Return the space of `spec` and everything narrower or shorter.

        Lengths are a quarter of its tokens, half of them and all.
        """
        if not isinstance(spec, BertSpec):
            raise UserError(f"{spec.name} is not a BERT; the family is '{cls.name}'.")
        widths = {
            name: sorted({getattr(layer, name) for layer in spec.layers} - {0})
            for name in ("heads", "qk", "v", "mlp")
        }
        embeds = fractions([spec.embed], (0.5,))
        levels: dict[str, Mapping[str, tuple[int, ...]]] = {"text_embedding": {"embed": embeds}}
        if widths["heads"]:
            most = widths["heads"][-1]
            levels["attention"] = {
                "embed": embeds,
                "heads": tuple(sorted({1, max(1, most // 2), most})),
                "qk": tuple(widths["qk"]),
                "v": tuple(widths["v"]),
            }
        if widths["mlp"]:
            parts = (1 / 16, 0.25, 0.5, 0.75)
            levels["mlp"] = {"embed": embeds, "mlp": fractions(widths["mlp"], parts)}
        levels["text_classifier"] = {"embed": embeds}
        frames = {
            "text_embedding": {
                "vocab": spec.vocab,
                "positions": spec.positions,
                "types": spec.types,
            },
            "text_classifier": {"classes": spec.classes},
        }
        lengths = sorted({max(spec.tokens // 4, 1), max(spec.tokens // 2, 1), spec.tokens})
        return cls(tuple(_at_lengths(levels, frames, lengths)))

    @classmethod
    def of_grids(cls, grids: Grids) -> Self:
        """As `StagedSlabs.of_grids`, with every sequence length of a grid."""
        slabs: dict[Any, Slab] = {}
        for slab in super().of_grids(grids).own_slabs:
            for spans in grids.of(slab.op):
                others = {a: n for a, n in slab.frame.items() if a != "tokens"}
                if all(spans[axis][-1] == value for axis, value in others.items()):
                    levels = {axis: spans[axis] for axis in slab.levels}
                    for tokens in spans["tokens"]:
                        own = Slab(slab.op, {**others, "tokens": tokens}, levels)
                        # Grids come small ones first: the largest of a length counts.
                        slabs[own.key] = own
        return cls(tuple(slabs.values()))

    @property
    def lengths(self) -> tuple[int, ...]:
        """The sequence lengths that are measured, ascending."""
        return tuple(sorted({slab.frame["tokens"] for slab in self.own_slabs}))

    def with_levels(self, text: str) -> Self:
        """As `MeasuringSpace.with_levels`; "tokens=..." sets the sequence lengths of every op."""
        others, tokens = parse_tokens(text)
        space = super().with_levels(others)
        if not tokens:
            return space
        (first, *_) = space.find("text_embedding")
        if tokens[-1] > first.frame["positions"]:
            raise UserError(
                f"tokens={tokens[-1]} is longer than the {first.frame['positions']} positions that "
                "the model has; give shorter lengths."
            )
        of_ops = [slab for slab in space.own_slabs if slab.frame["tokens"] == space.lengths[0]]
        return replace(
            space,
            own_slabs=tuple(
                replace(slab, frame={**slab.frame, "tokens": length})
                for slab in of_ops
                for length in tokens
            ),
        )

    def with_slab(self, slab: Slab) -> Self:
        """As `MeasuringSpace.with_slab`; the slabs of several sequence lengths change together."""
        wider = tuple(replace(s, levels=slab.levels) if s.op == slab.op else s for s in self.slabs)
        return replace(self, own_slabs=wider)

    def draw(self, rng: random.Random, name: str) -> Spec:
        """Return a random BERT of one of the lengths; widths of every layer of its own.

        As for plain ViTs, a layer's widths are uniform within a subrange that is drawn once per
        model, so that models differ.
        """
        stem = rng.choice(self.find("text_embedding"))
        tokens = stem.frame["tokens"]
        head = rng.choice(self.find("text_classifier", tokens=tokens))
        low, high = intersection(
            *(self.span(op, "embed", tokens=tokens) for op in self.ops if self.find(op))
        )
        places = {
            axis: sorted(rng.random() for _ in range(2)) for axis in ("heads", "qk", "v", "mlp")
        }

        def width(axis: str, step: int) -> int:
            op = "mlp" if axis == "mlp" else "attention"
            if not self.find(op):
                return 0
            least, most = self.span(op, axis, tokens=tokens)
            place = rng.uniform(*places[axis])
            return width_in(least, most, least + place * (most - least), step)

        return BertSpec(
            name=name,
            embed=width_in(low, high, rng.uniform(low, high), 2 * WIDTH_STEP),
            layers=tuple(
                ViTLayer(
                    heads=width("heads", 1),
                    qk=width("qk", WIDTH_STEP),
                    v=width("v", WIDTH_STEP),
                    mlp=width("mlp", 2 * WIDTH_STEP),
                )
                for _ in range(rng.randint(*DEPTHS))
            ),
            vocab=stem.frame["vocab"],
            positions=stem.frame["positions"],
            types=stem.frame["types"],
            tokens=tokens,
            classes=head.frame["classes"],
        )


def _at_lengths(
    levels: Levels,
    frames: Mapping[str, Mapping[str, int]],
    lengths: tuple[int, ...] | list[int],
) -> list[Slab]:
    return [
        Slab(op, {**frames.get(op, {}), "tokens": length}, axes)
        for op, axes in levels.items()
        for length in lengths
    ]


# Turc et al. 2019: their miniatures have 2 to 12 layers and these widths up to 768.
BERT = {
    "embed": WIDTHS["embed"],
    "depth": (2, 4, 6, 8, 10, 12),
    "heads": (1, 2, 4, 8, 12, 16),
    "qk": 64,
    "mlp_ratio": (1, 2, 4),
}


class BertSpace(LayeredSpace):
    """Text classifiers; all sequences have the length that `tokens` says."""

    family = "bert"
    makes = BertSpec
    ends = ("text_embedding", "text_classifier")

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"bert": BERT}

    @classmethod
    def slabs(cls) -> type[BertSlabs]:
        return BertSlabs
