"""The Swin space: which widths a table of Swin Transformers covers."""

from __future__ import annotations

import random

from ..errors import UserError
from ..models import Spec
from ..models.families.swin.spec import SwinSpec, SwinStage
from ..models.families.vit.spec import ViTLayer
from ..models.ops.codes import NO_YES, code
from .measuring_space import Slab, width_in
from .staged_slabs import StagedSpace, intersection

RESOLUTION, PATCH, WINDOW, CLASSES, STAGES = 224, 4, 7, 1000, 4
# Widths of the first stage, from half of Swin-T's to Swin-B's; each further stage has twice these.
EMBED = (48, 96, 128)
# Heads of the first stage: Swin-T has 3, Swin-B 4 of 32 channels each.
HEADS = (1, 4)
HEAD_WIDTHS = (16, 32)
# An MLP's hidden width over the widest tokens of its stage.
MLP_RATIOS = (0.5, 2, 4)
NO, YES = (code(NO_YES, answer, "shift") for answer in NO_YES)


class SwinSpace(StagedSpace):
    """Slabs of window attention, MLP and merging at every stage's map."""

    name = "swin"
    ops = ("swin_embed", "window_attention", "mlp", "token_merging", "pooled_tokens_classifier")
    widths = frozenset({"embed", "heads", "qk", "v", "mlp", "out_channels"})

    @classmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        side = resolution or RESOLUTION
        smallest = PATCH * 2 ** (STAGES - 1)
        if side % smallest or any((side // PATCH // 2**i) % WINDOW for i in range(STAGES)):
            raise UserError(
                f"--resolution {side} does not fit Swin's patch {PATCH}, {STAGES} stages and "
                f"window {WINDOW}; take a multiple of {smallest * WINDOW}, or give a spec with "
                "--model."
            )
        slabs = [
            Slab(
                "swin_embed",
                {"in_channels": 3, "resolution": side, "kernel": PATCH},
                {"embed": EMBED},
            )
        ]
        side //= PATCH
        for stage in range(STAGES):
            scale = 2**stage
            embed = tuple(scale * width for width in EMBED)
            for shift in (NO, YES) if side > WINDOW else (NO,):
                slabs.append(
                    Slab(
                        "window_attention",
                        {"window": WINDOW, "resolution": side, "shift": shift},
                        {
                            "embed": embed,
                            "heads": tuple(scale * heads for heads in HEADS),
                            "qk": HEAD_WIDTHS,
                            "v": HEAD_WIDTHS,
                        },
                    )
                )
            hidden = tuple(round(ratio * embed[-1]) for ratio in MLP_RATIOS)
            slabs.append(Slab("mlp", {"tokens": side**2}, {"embed": embed, "mlp": hidden}))
            if stage < STAGES - 1:
                out = tuple(2 * width for width in (embed[0], embed[-1]))
                slabs.append(
                    Slab(
                        "token_merging", {"resolution": side}, {"embed": embed, "out_channels": out}
                    )
                )
                side //= 2
        tokens_classes = {"tokens": side**2, "classes": classes or CLASSES}
        slabs.append(Slab("pooled_tokens_classifier", tokens_classes, {"embed": embed}))
        return slabs

    def draw(self, rng: random.Random, name: str) -> Spec | None:
        """Return a random Swin: widths, heads and depths of every stage of its own.

        As for plain ViTs, a layer's widths are uniform within a subrange that is drawn once per
        model, so that models differ.
        """
        stem = rng.choice(self.find("swin_embed"))
        heads = self.find("pooled_tokens_classifier")  # a backbone has none
        classes = rng.choice(heads).frame["classes"] if heads else 0
        patch, side = stem.frame["kernel"], stem.frame["resolution"] // stem.frame["kernel"]
        window = rng.choice(self.find("window_attention")).frame["window"]
        places = {
            axis: sorted(rng.random() for _ in range(2)) for axis in ("heads", "qk", "v", "mlp")
        }
        width, deep = rng.random(), rng.random()
        stages: list[SwinStage] = []
        while True:
            here = min(window, side)
            attention = {"window": here, "resolution": side}

            def of_layer(axis: str, span: tuple[int, int], step: int) -> int:
                low, high = span
                place = rng.uniform(*places[axis])
                return width_in(low, high, low + place * (high - low), step)

            spans = [
                self.span("window_attention", "embed", **attention),
                self.span("mlp", "embed", tokens=side**2),
            ]
            if not stages:
                spans.append(self.span("swin_embed", "embed", resolution=stem.frame["resolution"]))
            low, high = intersection(*spans)
            # Around the model's own share of the range: stages grow together, as Swin's do.
            place = min(max(width + rng.uniform(-0.15, 0.15), 0.0), 1.0)
            embed = width_in(low, high, low + place * (high - low), 8)
            most = 2 if len(stages) != 2 else 9
            depth = max(1, round(most * (0.4 + 0.6 * deep) * rng.uniform(0.7, 1.0)))
            layers = tuple(
                ViTLayer(
                    heads=of_layer("heads", self.span("window_attention", "heads", **attention), 1),
                    qk=of_layer("qk", self.span("window_attention", "qk", **attention), 8),
                    v=of_layer("v", self.span("window_attention", "v", **attention), 8),
                    mlp=of_layer("mlp", self.span("mlp", "mlp", tokens=side**2), 16),
                )
                for _ in range(depth)
            )
            stages.append(SwinStage(embed, layers))
            if not self.find("token_merging", resolution=side):
                break
            side //= 2
        return SwinSpec(
            name=name,
            stages=tuple(stages),
            patch=patch,
            window=window,
            resolution=stem.frame["resolution"],
            in_channels=stem.frame["in_channels"],
            classes=classes,
        )
