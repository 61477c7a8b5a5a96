"""NViT as the paper ran it (Yang et al. 2023)."""

from __future__ import annotations

from ...training.recipes import WARMUP_EPOCHS
from ..method_recipe import MethodRecipe

# The four models of table 1, all from one run; units leave every 100 batches of 512 images. 50
# epochs are the most that the authors' commands give it, and what they take for the last model:
# 32 units at a time, of DeiT-B's 39,312.
NVIT = MethodRecipe(
    help="nvit (all of NViT: four snapshots of one run, each finetuned)",
    training="nvit-finetune",
    target="0.54x,0.50x,0.39x,0.19x",
    groups={"embed": 16, "heads": 2, "qk": 8, "v": 8, "mlp": 16},
    options={
        "prune_epochs": 50.0,
        "prune_every": 100,
        "prune_learning_rate": 1e-4,
        "prune_warmup": WARMUP_EPOCHS / 50,
    },
    rates=("prune_learning_rate",),
    missing={
        "teacher": "the recipe nvit has a CNN teacher (the paper's is a RegNetY-16GF), and "
        "`teacher` is not given; the labels are learned in its place"
    },
)
