"""timm's Vision Transformers and DeiTs: from a name's words to timm's arguments, and to a ViTSpec.

A name is read like a sentence: `vit_small_patch14_reg4_dinov2` is a Vision Transformer of size
small with patches of 14 pixels and 4 registers, trained as DINOv2. Sizes are those of the papers
(Dosovitskiy et al. 2020, table 1; Zhai et al. 2022, table 2; Alabdulmohsin et al. 2023).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import UserError
from ..checks import shown
from ..families.vit.details import ViTDetails
from ..families.vit.spec import ViTSpec
from .arguments import Arguments

# embed, depth, heads, width of the MLP.
_SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "wee": (256, 14, 4, 1280),
    "tiny": (192, 12, 3, 768),
    "xsmall": (256, 10, 4, 1024),
    "small": (384, 12, 6, 1536),
    "little": (320, 14, 5, 1792),
    "medium": (512, 12, 8, 2048),
    "mediumd": (512, 20, 8, 2048),
    "betwixt": (640, 12, 10, 2560),
    "base": (768, 12, 12, 3072),
    "base plus": (896, 12, 14, 3584),
    "so150m": (896, 18, 14, 2304),
    "so150m2": (832, 21, 13, 2176),
    "large": (1024, 24, 16, 4096),
    "intern300m": (1024, 24, 16, 4096),
    "so400m": (1152, 27, 16, 4304),
    "huge": (1280, 32, 16, 5120),
    "giant": (1408, 40, 16, 6144),
    "giantopt": (1536, 40, 16, 6144),
    "gigantic": (1664, 48, 16, 8192),
    # Where a recipe's "giant" is another one. The gated MLP's 8192 are gate and value.
    "giant dinov2": (1536, 40, 24, 8192),
    "giant tipsv2": (1536, 40, 24, 8192),
    "giant radio": (1536, 40, 24, 6144),
}
_NAME = re.compile(
    r"^(?P<kind>vit|deit3?|eva)_(?P<size>[a-z0-9]+)_(?P<distilled>distilled_)?"
    r"patch(?P<patch>\d+)_(?P<words>\w+)$"
)
# Names that say too little; their patches are of 16 pixels.
_OTHERS: Mapping[str, dict[str, Any]] = {
    **{
        f"flexivit_{size}": {"dims": _SIZES[size], "no_embed_class": True}
        for size in ("small", "base", "large")
    },
    "vit_base_patch16_gap_224": {
        "dims": (768, 12, 16, 3072),
        "class_token": False,
        "global_pool": "avg",
        "fc_norm": False,
    },
    "test_vit": {"dims": (64, 6, 2, 192)},
    "test_vit2": {
        "dims": (64, 8, 2, 192),
        "class_token": False,
        "reg_tokens": 1,
        "global_pool": "avg",
        "init_values": 1e-5,
    },
}
_OF_KIND: Mapping[str, dict[str, Any]] = {
    "deit3": {"no_embed_class": True, "init_values": 1e-6},
    "eva": {"global_pool": "avg"},
}
_OF_WORD: Mapping[str, dict[str, Any]] = {
    "clip": {"pre_norm": True, "norm_eps": 1e-5},
    "quickgelu": {"act_layer": "quick_gelu"},
    "dinov2": {"init_values": 1e-5},
    "tipsv2": {"init_values": 1.0},
    "radio": {"no_embed_class": True, "final_norm": False},
    "36x1": {"depth": 36},
    "miil": {"qkv_bias": False},
}
# Sizes and patches that came with SigLIP 2 only, which has the other GELU.
_SIGLIP2 = {("base", 32), ("so400m", 16), ("giantopt", 16)}
_SIDE_BY_SIDE = "runs halves of a layer side by side, which vitprof's ViT does not"
_RMS = "normalises by the root mean square, which vitprof's ViT does not"
# The first of these patterns that a name has says what vitprof's ViT lacks.
_LACKING: tuple[tuple[str, str], ...] = (
    (r"^aimv2_|^test_vit4$", _RMS),
    (r"_xp_|_18x2_|^vit_d?pwee_", _SIDE_BY_SIDE),
    (r"^vit_d(wee|little)_", "has differential attention, which vitprof's ViT has not"),
    (r"^beit3_", "has layer norms inside attention and MLP, which vitprof's ViT has not"),
    (r"_rpn_", "has its layer norms behind attention and MLP, vitprof's ViT in front of them"),
    (r"_siglip_(?!gap)|_map_|^test_vit3$", "pools by attention, which vitprof's ViT has not"),
    (
        r"_patch14_siglip_gap_384$",
        "leaves the image's last 6 pixels out, whereas the patches of vitprof's ViT cover it",
    ),
)
# Of arguments that change nothing in a model that runs.
_WITHOUT_EFFECT = (
    *("drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate"),
    *("drop_path_rate", "weight_init", "fix_init", "dynamic_img_size", "dynamic_img_pad"),
)
_POOLS = {"token": "class", "avg": "mean"}
_ACTIVATIONS = ("gelu", "gelu_tanh", "quick_gelu")


def vit_lacks(arch: str) -> str | None:
    """Return what a model of this name has that vitprof's ViT has not, None for nothing."""
    return next((what for pattern, what in _LACKING if re.search(pattern, arch)), None)


def vit_arguments(arch: str) -> dict[str, Any]:
    """Return what the name says, as timm's arguments, and `distilled`, `swiglu`, `norm_eps`."""
    if arch in _OTHERS:
        given = dict(_OTHERS[arch])
        return {"patch_size": 16, **_sizes(given.pop("dims")), **given}
    match = _NAME.match(arch)
    if match is None:
        raise UserError(f"vitprof cannot read timm's name {shown(arch)}.")
    kind, size, words = match["kind"], match["size"], match["words"].split("_")
    registers = next((int(word[3:]) for word in words if re.match(r"reg\d+$", word)), 0)
    dims = _SIZES[size]
    for special in (f"{size} {word}" for word in words):
        dims = _SIZES.get(special, dims)
    found: dict[str, Any] = {"patch_size": int(match["patch"]), **_sizes(dims)}
    if match["distilled"]:
        found["distilled"] = True
    if registers:
        found |= {"reg_tokens": registers, "no_embed_class": not size.startswith("so150m")}
    found |= _of_recipe(kind, size, found["patch_size"], words)
    return found | _of_pooling(size, registers) if "gap" in words else found


def _sizes(dims: tuple[int, int, int, int]) -> dict[str, Any]:
    embed, depth, heads, mlp = dims
    return {"embed_dim": embed, "depth": depth, "num_heads": heads, "mlp_ratio": mlp / embed}


def _of_recipe(kind: str, size: str, patch: int, words: list[str]) -> dict[str, Any]:
    """Return what follows from how a model was trained."""
    found: dict[str, Any] = dict(_OF_KIND.get(kind, {}))
    for word in words:
        found |= _OF_WORD.get(word, {})
    if size == "intern300m":
        found |= {"final_norm": False}
    if {"dinov2", "tipsv2"} & set(words):
        found |= {"swiglu": size == "giant"}
    if "radio" in words:
        found |= {"reg_tokens": 7 if "v3" in words else 9}
    if _has_layer_scale(size, words):
        found |= {"init_values": 1e-5}
    newer = (size, patch) in _SIGLIP2 or (size, words[-1]) == ("large", "512")
    if "siglip" in words and newer:
        found |= {"act_layer": "gelu_tanh"}
    return found


def _of_pooling(size: str, registers: int) -> dict[str, Any]:
    """Return what follows from the mean in place of a class token."""
    found: dict[str, Any] = {"class_token": False, "global_pool": "avg"}
    if not registers or size == "so150m":
        found |= {"fc_norm": False}
    if size == "so150m2" or (size in {"medium", "betwixt"} and not registers):
        found |= {"qkv_bias": False}
    return found


def _has_layer_scale(size: str, words: list[str]) -> bool:
    if "gap" in words:
        return size in {"wee", "little", "medium", "mediumd", "betwixt", "so150m2"}
    if "radio" in words:
        return size in {"base", "large"}
    return "36x1" in words or size == "intern300m" or ("plus" in words and "clip" not in words)


def vit_spec(arch: str, given: Mapping[str, Any], resolution: int, classes: int) -> ViTSpec:
    """Return the spec of a name and timm's arguments for `create_model`.

    Raises UserError naming the argument that vitprof's Vision Transformer cannot follow.
    """
    own = vit_arguments(arch)
    a = Arguments(arch, {**own, **given})
    a.ignore(*_WITHOUT_EFFECT)
    embed = a.number("embed_dim", 768)
    swiglu = a.flag("swiglu", False)
    hidden = int(embed * a.ratio("mlp_ratio", 4.0) + 1e-6)
    pool = a.one_of("global_pool", "token", _POOLS)
    fc_norm = a.get("fc_norm")
    pooled = pool == "avg" if fc_norm is None else bool(fc_norm)
    final = "none" if not a.flag("final_norm", True) else "pooled" if pooled else "tokens"
    activation = "swiglu" if swiglu else a.one_of("act_layer", "gelu", _ACTIVATIONS)
    details = ViTDetails.from_fields(
        {
            "class_token": a.flag("class_token", True),
            "registers": a.number("reg_tokens", 0),
            "prefix_positions": not a.flag("no_embed_class", False),
            "pool": _POOLS[pool],
            "final_norm": final,
            "pre_norm": a.flag("pre_norm", False),
            "layer_scale": bool(a.get("init_values")),
            "qkv_bias": a.flag("qkv_bias", True),
            "qk_norm": a.flag("qk_norm", False),
            "activation": activation,
        }
    )
    spec = ViTSpec.uniform(
        embed,
        depth=a.number("depth", 12),
        heads=a.number("num_heads", 12),
        mlp=hidden // 2 if swiglu else hidden,
        patch=a.side("patch_size", 16),
        resolution=a.side("img_size", resolution),
        in_channels=a.number("in_chans", 3),
        classes=a.number("num_classes", classes),
        distilled=a.flag("distilled", False),
        norm_eps=a.get("norm_eps"),
        details=details,
        name=arch,
    )
    a.refuse_others()
    return spec
