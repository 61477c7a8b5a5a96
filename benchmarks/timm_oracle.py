"""What timm itself says of its models: names, parameters, MACs, and a few outputs.

Runs in the environment of `make test-timm`, as vitprof's own has no torchvision that imports:

    .venv-timm/bin/python benchmarks/timm_oracle.py

It writes models/timm/names.json (what is public of each name: resolution, tags, classes),
tests/data/timm/counts.json (parameters and MACs by name) and, for a few small variants,
tests/data/timm/outputs.json. MACs are those of matrix products and convolutions, counted
while the model runs on the meta device, with attention as plain products.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers import set_fused_attn
from timm.models import _registry as registry
from timm.models import get_pretrained_cfg
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
MODULES = ("vision_transformer", "deit", "swin_transformer", "efficientvit_msra", "vgg")
# Small variants whose outputs are recorded, by what is special about them.
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("vit_tiny_patch16_224", {}),
    "distilled": ("deit_tiny_distilled_patch16_224", {}),
    "layer_scale": ("deit3_small_patch16_224", {"init_values": 0.5}),
    "features": ("vit_small_patch14_dinov2", {"img_size": 28, "init_values": 0.5}),
    "registers": (
        "vit_small_patch14_reg4_dinov2",
        {"img_size": 28, "init_values": 0.5, "num_classes": 5},
    ),
    "swiglu": ("vit_giant_patch14_dinov2", {"img_size": 28, "num_classes": 5, "mlp_ratio": 4}),
    "pre_norm": ("vit_base_patch32_clip_224", {"img_size": 64}),
    "quick_gelu": ("vit_base_patch16_clip_quickgelu_224", {}),
    "mean": ("vit_base_patch16_gap_224", {}),
    "pooled_norm": ("vit_betwixt_patch16_reg4_gap_256", {"init_values": 0.5}),
    "gelu_tanh": ("vit_base_patch32_siglip_gap_256", {"img_size": 64, "num_classes": 5}),
    "no_qkv_bias": ("vit_medium_patch16_gap_256", {"init_values": 0.5}),
    "qk_norm": ("vit_tiny_patch16_224", {"qk_norm": True}),
    "no_final_norm": ("vit_base_patch16_radio_v3", {"img_size": 32, "init_values": 0.5}),
}
_TINY = {"embed_dim": 8, "depth": 2, "num_heads": 2}


def small_arguments(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that make a small variant of a Vision Transformer."""
    return {"img_size": 32, "num_classes": 5 if "dinov2" not in name else 0} | _TINY | given


def main() -> None:
    """Write the three files."""
    set_fused_attn(False)
    names: dict[str, Any] = {}
    counts: dict[str, list[int]] = {}
    for module in MODULES:
        for arch in timm.list_models(module=module):
            names[arch] = _described(arch)
            for tag in names[arch]["tags"]:
                counts[f"{arch}.{tag}"] = counted(f"{arch}.{tag}")
    old = {
        name: given
        for module in MODULES
        for name in sorted(registry._module_to_deprecated_models[f"{module}"])
        if (given := registry._deprecated_models[name])
    }
    _write(ROOT / "models/timm/names.json", {"timm": timm.__version__, "old": old, "names": names})
    _write(ROOT / "tests/data/timm/counts.json", counts)
    _write(ROOT / "tests/data/timm/outputs.json", _outputs())


def _described(arch: str) -> dict[str, Any]:
    own = get_pretrained_cfg(arch)
    every = timm.list_models(f"{arch}.*", include_tags=True)
    tags = {name.partition(".")[2]: get_pretrained_cfg(name).num_classes for name in every}
    first = own.tag
    tags = {first: own.num_classes} | tags
    return {"resolution": own.input_size[1], "tags": tags}


def counted(name: str) -> list[int]:
    """Return a model's parameters and MACs."""
    size = get_pretrained_cfg(name).input_size
    with torch.device("meta"):
        model = timm.create_model(name).eval()
        model.requires_grad_(False)
        counter = FlopCounterMode(display=False)
        with counter:
            model(torch.zeros(1, *size))
    print(name, flush=True)
    return [sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2]


def filled(shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """Return weights by a formula, so that a test can make the same ones."""
    weights = {}
    for place, (name, shape) in enumerate(sorted(shapes.items())):
        steps = torch.arange(shape.numel(), dtype=torch.float64)
        values = torch.sin(steps * (0.7 + 0.1 * place) + place) * 0.3
        weights[name] = values.float().reshape(shape)
    return weights


def _outputs() -> dict[str, Any]:
    """Return what small variants give for weights and images by that formula."""
    found = {}
    for kind, (name, given) in SMALL.items():
        arguments = small_arguments(name, given)
        model = timm.create_model(name, **arguments).eval()
        shapes = {key: value.shape for key, value in model.state_dict().items()}
        model.load_state_dict(filled(shapes))
        side = arguments["img_size"]
        images = filled({"images": torch.Size((2, 3, side, side))})["images"]
        with torch.no_grad():
            output = model(images)
        found[kind] = {
            "name": name,
            "arguments": arguments,
            "shapes": {key: list(shape) for key, shape in shapes.items()},
            "output": output.tolist(),
        }
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for key, value in content.items():
        text = json.dumps(value)
        if key in {"names", "old"}:
            rows = [f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()]
            text = "{\n" + ",\n".join(rows) + "\n  }"
        lines.append(f"  {json.dumps(key)}: {text}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
