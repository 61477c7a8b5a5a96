"""Hugging Face's Mask2Former with a Swin whose layers may have hidden widths of their own.

A config.json has one `mlp_ratio` for all layers, so a pruned folder has a spec.json beside it: that
of the backbone. `load_mask2former` reads either kind of folder.
"""

from __future__ import annotations

import copy
import importlib
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...atomic_write import made_folder, write_atomically
from ...errors import UserError
from ...models import SwinSpec, create_spec
from ...models.checkpoints import read_checkpoint
from ...models.checks import shown
from ...models.families.swin.checkpoint_names import swin_names
from ...models.families.swin.mask2former import (
    MODEL_TYPE,
    backbone_spec_from_config,
    backbone_weights,
)
from ...models.families.swin.model import SwinTransformer
from ...models.json_object import read_json_object
from ...models.transformers_log import quiet

CONFIG, WEIGHTS, SPEC = "config.json", "model.safetensors", "spec.json"
PREPROCESSOR = "preprocessor_config.json"
# Fields of a config.json by which transformers would fetch kernels, or quantize.
_CODE = re.compile(r"_implementation|auto_map|quantization")
# A norm behind the last stage, and a constant of the loss, that no output depends on.
_UNUSED = re.compile(r"^model\.pixel_level_module\.encoder\.(swin\.)?layernorm\.|^criterion\.")
# Under both names that transformers 5 has had in memory.
_LINEARS = {
    "mlp.fc1": ("mlp.fc1", "intermediate.dense"),
    "mlp.fc2": ("mlp.fc2", "output.dense"),
    "attn.proj": ("attention.o_proj", "attention.output.dense"),
}


def is_mask2former(folder: str | Path) -> bool:
    """Whether this is a folder whose config.json is a Mask2Former's; UserError if it is broken."""
    path = Path(folder) / CONFIG
    return path.is_file() and read_json_object(path)[0].get("model_type") == MODEL_TYPE


def backbone_spec(folder: str | Path, resolution: int | None = None) -> SwinSpec:
    """Return the backbone's spec at images of `resolution` pixels a side (None: the folder's own).

    Raises UserError for what `backbone_spec_from_config` refuses, and a spec.json that is not of
    this config's backbone.
    """
    folder = Path(folder)
    config, source = read_json_object(folder / CONFIG)
    if config.get("model_type") != MODEL_TYPE:
        raise UserError(
            f"{source} has model_type={shown(config.get('model_type'))}; it has to be "
            f"'{MODEL_TYPE}'."
        )
    pruned = create_spec(folder / SPEC) if (folder / SPEC).is_file() else None
    if resolution is None and isinstance(pruned, SwinSpec):
        resolution = pruned.resolution
    name = folder.resolve().name
    try:
        spec = backbone_spec_from_config(
            config, name if name.isprintable() and name else "custom", resolution
        )
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    if pruned is None:
        return spec
    if not isinstance(pruned, SwinSpec) or not _narrower(pruned, spec):
        raise UserError(
            f"'{folder / SPEC}' does not describe the Swin of {source} with fewer hidden neurons; "
            "remove it if it is another model's."
        )
    return replace(pruned, resolution=spec.resolution)


def _narrower(pruned: SwinSpec, spec: SwinSpec) -> bool:
    """Whether the first is the second but for its name, image size and fewer hidden neurons."""
    depths, wanted = ([len(stage.layers) for stage in each.stages] for each in (pruned, spec))
    if depths != wanted:
        return False
    stages = []
    for mine, theirs in zip(pruned.stages, spec.stages, strict=True):
        pairs = list(zip(mine.layers, theirs.layers, strict=True))
        if any(not 1 <= ours.mlp <= full.mlp for ours, full in pairs):
            return False
        layers = tuple(replace(ours, mlp=full.mlp) for ours, full in pairs)
        stages.append(replace(mine, layers=layers))
    same = replace(pruned, stages=tuple(stages), name=spec.name, resolution=spec.resolution)
    return same == spec


def load_mask2former(folder: str | Path) -> Any:
    """Return transformers' Mask2FormerForUniversalSegmentation of a folder, in eval mode.

    folder: config.json and model.safetensors, as `save_pretrained` or `vitprof prune` writes them;
    of a pruned one the hidden layers of the Swin are as wide as its spec.json says. No network, no
    code from the folder. Raises UserError where transformers is not installed, for
    another model or backbone, and for weights that are missing, left over or of another shape.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise UserError(f"'{folder}' has no {CONFIG}; give the folder of a Mask2Former.")
    spec = backbone_spec(folder)
    if not (folder / WEIGHTS).is_file():
        raise UserError(
            f"'{folder}' has no {WEIGHTS}; save the model with save_pretrained(..., "
            "max_shard_size='100GB'), which writes one."
        )
    transformers: Any = _transformers()
    base: Any = transformers.Mask2FormerForUniversalSegmentation
    weights = read_checkpoint(folder / WEIGHTS).weights

    class Narrowed(base):
        """The class that reads the weights: made with the backbone's widths."""

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            _shrink(self, spec)

    try:
        with quiet(transformers):
            config = transformers.Mask2FormerConfig.from_dict(_plain(folder))
            # Weights and config as they were read here: transformers itself opens no file.
            model, info = Narrowed.from_pretrained(
                None,
                config=config,
                state_dict=dict(weights),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
            )
    except Exception as error:  # what a strange config raises is transformers' own affair
        raise UserError(
            f"'{folder}' cannot be read as a Mask2Former: {_first_line(error)}."
        ) from None
    for what, names in (
        ("lacks", sorted(n for n in info["missing_keys"] if not _UNUSED.search(n))),
        ("has an unknown", sorted(n for n in info["unexpected_keys"] if not _UNUSED.search(n))),
        ("has another shape of", sorted(str(key[0]) for key in info["mismatched_keys"])),
    ):
        if names:
            raise UserError(
                # A name's end says most.
                f"'{folder / WEIGHTS}' {what} {shown(names[0][-50:])} ({len(names)} such); the "
                "config.json and the weights do not belong together."
            )
    # What callers and save_pretrained see is transformers' class.
    model.__class__ = base
    return model.eval()


def _plain(folder: Path) -> dict[str, Any]:
    """Return the config without what would choose kernels or another way to hold the weights."""
    config = read_json_object(folder / CONFIG)[0]
    parts = {"": config, "backbone_config": config["backbone_config"]}
    plain = {
        name: {k: v for k, v in part.items() if not _CODE.search(k)} for name, part in parts.items()
    }
    return {**plain[""], "backbone_config": plain["backbone_config"]}


def write_mask2former(model: Any, spec: SwinSpec, source: Path, folder: Path) -> None:
    """Write a pruned model: weights, spec.json, and config.json and preprocessor as in `source`.

    `load_mask2former(folder)` gives it back.
    """
    made_folder(folder)
    partial = folder / "partial"
    try:
        with quiet(_transformers()):
            model.save_pretrained(partial, max_shard_size="1TB")
        (partial / WEIGHTS).replace(folder / WEIGHTS)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for name in (CONFIG, PREPROCESSOR):
        if (source / name).is_file():
            write_atomically(folder / name, (source / name).read_bytes())
    write_atomically(folder / SPEC, spec.to_json())


def backbone_of(model: Any, spec: SwinSpec) -> SwinTransformer:
    """Return the Swin of a Mask2Former as this package's module, with a copy of its weights."""
    weights = backbone_weights(model.state_dict())
    assert weights is not None
    found = swin_names({name: weight.detach().clone() for name, weight in weights.items()})
    swin = SwinTransformer(spec)
    swin.load_state_dict(found)
    return swin.to(model.device).eval()


def with_backbone(model: Any, swin: SwinTransformer) -> Any:
    """Return a copy of a Mask2Former whose Swin has the hidden neurons and weights of `swin`.

    Of the attention only the projection is taken over, which is all that pruning may change.
    """
    made = copy.deepcopy(model)
    with torch.no_grad():
        for stage, layer, block in _layers(made):
            ours = swin.get_submodule(f"layers.{stage}.blocks.{layer}")
            for name, theirs in _LINEARS.items():
                _put(block, theirs, ours.get_submodule(name))
    return made


def _shrink(model: Any, spec: SwinSpec) -> None:
    for stage, layer, block in _layers(model):
        embed, mlp = spec.stages[stage].embed, spec.stages[stage].layers[layer].mlp
        _put(block, _LINEARS["mlp.fc1"], nn.Linear(embed, mlp))
        _put(block, _LINEARS["mlp.fc2"], nn.Linear(mlp, embed))


def _layers(model: Any) -> Iterator[tuple[int, int, nn.Module]]:
    """Give stage, place in it, and module of each layer of the Swin."""
    encoder = model.model.pixel_level_module.encoder
    for stage, each in enumerate(getattr(encoder, "swin", encoder).encoder.layers):
        for layer, block in enumerate(each.blocks):
            yield stage, layer, block


def _put(block: nn.Module, names: tuple[str, ...], linear: nn.Module) -> None:
    """Set the linear layer that has the first of the names which is there."""
    for name in names:
        parent, _, last = name.rpartition(".")
        try:
            before = block.get_submodule(name)
        except AttributeError:
            continue
        made = copy.deepcopy(linear).to(before.weight.device)  # type: ignore[arg-type]
        setattr(block.get_submodule(parent), last, made)
        return
    raise UserError(
        f"this version of transformers has no {names[0]} in a Swin's layer; take transformers 5."
    )


@contextmanager
def given_features(model: Any, maps: tuple[Tensor, ...]) -> Iterator[None]:
    """Let a Mask2Former's decoders work on these maps, for any image that it is called with."""
    module = model.model.pixel_level_module
    encoder = module.encoder
    module.encoder = _Given(maps)
    try:
        yield
    finally:
        module.encoder = encoder


class _Given(nn.Module):
    def __init__(self, maps: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, _images: Tensor, **_others: Any) -> Any:
        from transformers.modeling_outputs import BackboneOutput

        maps: Any = self.maps
        return BackboneOutput(feature_maps=maps)


def _transformers() -> Any:
    try:
        import transformers

        importlib.import_module("transformers.models.mask2former.modeling_mask2former")
    except ImportError as error:
        raise UserError(
            f"Mask2Former needs transformers 5 ({_first_line(error)}); install it: "
            "pip install 'vitprof[segmentation]'."
        ) from None
    return transformers


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return " ".join(text.splitlines()[0].split())[:200].rstrip(".")


def config_of(folder: Path, name: str) -> Mapping[str, Any]:
    """Return a JSON object of the folder, empty where there is no such file."""
    return read_json_object(folder / name)[0] if (folder / name).is_file() else {}
