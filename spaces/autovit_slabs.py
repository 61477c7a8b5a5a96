"""The AutoViT space: the paper's 46 modules, and what its three search spaces need beside them."""

from __future__ import annotations

import random
from dataclasses import replace

from ..models import Block, Spec
from ..models.families.autovit.known import HEAD_WIDTH, autovit_of_table
from ..models.families.autovit.search_spaces import SEARCH_SPACES, latency_table_modules
from ..models.families.autovit.spec import STEM_STRIDE
from ..models.ops.codes import ACTIVATIONS, code
from .measuring_space import Slab
from .staged_slabs import StagedSpace

RESOLUTION, CLASSES = 256, 1000
# Channels of the first MBConv stages, and around the transformer layers: their convolutions' work
# grows with the square, so each width that occurs is a level.
STEMS, FIRST, SECOND, CHANNELS = (16, 24), (16, 24, 32), (24, 32, 48), (32, 48, 64)
# Per transformer stage, from the least of the search spaces to AutoViT-S: width, hidden width.
LAYERS = (
    ((48, 128), (48, 192)),
    ((64, 176), (96, 352)),
    ((80, 224), (120, 448)),
    ((96, 272), (144, 448)),
)
HEADS, DEPTHS = (2, 9), (2, 5)
POOLED = (1000, 1560)


class AutoViTSpace(StagedSpace):
    """Slabs of every op at every stage's map, and the modules of the paper's table."""

    name = "autovit"
    whole_models = 24
    whole_models_up_to = 1.0
    ops = ("conv", "mbconv", "mobilevit", "mbpool", "linear_classifier")
    widths = frozenset({"in_channels", "out_channels", "embed", "heads", "qk", "v", "mlp", "depth"})

    @classmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        image = resolution or RESOLUTION
        # Refuses an image that the strides and patches do not divide.
        replace(SEARCH_SPACES["xxs"].largest(), resolution=image)
        common = {"kernel": 3, "activation": code(ACTIVATIONS, "silu", "activation")}
        map_only = {"activation": common["activation"]}

        def mbconv(
            side: int, stride: int, expansion: int, inner: tuple[int, ...], outer: tuple[int, ...]
        ) -> Slab:
            frame = {**common, "expansion": expansion, "stride": stride, "resolution": side}
            return Slab("mbconv", frame, {"in_channels": inner, "out_channels": outer})

        half, quarter = image // STEM_STRIDE, image // STEM_STRIDE // 2
        slabs = [
            Slab(
                "conv",
                {**common, "stride": STEM_STRIDE, "resolution": image},
                {"in_channels": (3,), "out_channels": STEMS},
            ),
            mbconv(half, 1, 1, FIRST, FIRST),
            mbconv(half, 2, 1, FIRST, SECOND),
            mbconv(quarter, 1, 1, (*SECOND, CHANNELS[-1]), (*SECOND, CHANNELS[-1])),
            # Table 5's models expand by 2 in these stages, the search spaces by 1.
            mbconv(half, 2, 2, FIRST[:2], SECOND[:2]),
            mbconv(quarter, 1, 2, SECOND[:2], SECOND[:2]),
        ]
        side = quarter
        for stage, (embed, mlp) in enumerate(LAYERS):
            slabs.append(mbconv(side, 2, 4, CHANNELS, CHANNELS))
            side //= 2
            slabs.append(
                Slab(
                    "mobilevit",
                    {**common, "patch": 2, "resolution": side},
                    {
                        "in_channels": CHANNELS,
                        "embed": embed,
                        "heads": HEADS,
                        "qk": (HEAD_WIDTH,),
                        "v": (HEAD_WIDTH,),
                        "mlp": mlp,
                        "depth": DEPTHS,
                    },
                )
            )
            if stage >= 2:  # a model may end here
                slabs.append(
                    Slab(
                        "mbpool",
                        {**map_only, "resolution": side},
                        {
                            "in_channels": CHANNELS,
                            "mlp": tuple(6 * width for width in CHANNELS),
                            "out_channels": POOLED,
                        },
                    )
                )
        slabs.append(Slab("linear_classifier", {"classes": classes or CLASSES}, {"embed": POOLED}))
        return slabs

    @classmethod
    def possible(cls, slab: Slab) -> Slab:
        """Return the slab with the ends of the layers' widths, and the channels that occur.

        Work grows with the square of the channels, so nothing is interpolated to half of them.
        """
        levels = dict(slab.levels)
        for axis, values in levels.items():
            if axis in ("in_channels", "out_channels"):
                levels[axis] = values[1:] if len(values) > 1 else values
            elif axis in ("qk", "v"):
                levels[axis] = values[-1:]
            else:
                levels[axis] = tuple(sorted({values[0], values[-1]}))
        return replace(slab, levels=levels)

    def blocks(self) -> list[Block]:
        """Return every block; where the image is the paper's, its 46 modules first."""
        stems = {slab.frame["resolution"] for slab in self.find("conv")}
        modules = latency_table_modules() if stems == {RESOLUTION} and self._is_default else []
        return list(dict.fromkeys((*modules, *super().blocks())))

    @property
    def _is_default(self) -> bool:
        return {slab.key for slab in self.own_slabs} == {
            slab.key for slab in self.default_slabs(None, None)
        }

    def draw(self, rng: random.Random, name: str) -> Spec:
        """Return a random model of one of the paper's three search spaces."""
        space = rng.choice(list(SEARCH_SPACES.values()))
        image = rng.choice(self.find("conv")).frame["resolution"]
        head = rng.choice(self.find("linear_classifier"))
        return autovit_of_table(
            name,
            tuple(
                (rng.choice(c.widths), rng.choice(c.depths), rng.choice(c.expansions))
                for c in space.mbconvs
            ),
            tuple(
                (
                    rng.choice(c.widths),
                    rng.choice(c.depths),
                    rng.choice(c.heads),
                    rng.choice(c.ratios),
                )
                for c in space.transformers[: rng.choice(space.stages)]
            ),
            rng.choice(space.pool_widths),
            stem_width=rng.choice(space.stem_widths),
            resolution=image,
            classes=head.frame.get("classes", CLASSES),
        )
