"""The BERTs known by name."""

from __future__ import annotations

from .spec import BertSpec


def known_berts() -> list[BertSpec]:
    """Return BERT-base and -large (Devlin et al. 2019, section 3), and the smaller ones.

    Those are of Turc et al. 2019, table 1: -medium, -small, -mini and -tiny.
    """
    sizes = {
        "tiny": (128, 2),
        "mini": (256, 4),
        "small": (512, 4),
        "medium": (512, 8),
        "base": (768, 12),
        "large": (1024, 24),
    }
    return [
        BertSpec.uniform(embed, depth, embed // 64, name=f"bert-{size}")
        for size, (embed, depth) in sizes.items()
    ]
