"""Modules that libraries make by name: timm, torchvision and transformers, with random weights."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import UserError, did_you_mean
from ...models.checks import shown
from ..shapes import Shapes
from .module_source import ModuleSource
from .named_inputs import by_name, example_of, input_names, needed_inputs, sizes_of_inputs

if TYPE_CHECKING:
    from torch import nn

IMAGE = (3, 224, 224)
WORDS = 128


def timm_source(name: str, shapes: Shapes | None, batch: int) -> ModuleSource:
    """Return timm's model of this name."""
    timm = _library("timm", "timm (and torchvision)")
    if not timm.is_model(name):
        raise UserError(f"timm has no model {shown(name)}{did_you_mean(name, timm.list_models())}.")
    module = _made(f"timm:{name}", lambda: timm.create_model(name, pretrained=False))
    size = tuple(module.default_cfg.get("input_size", IMAGE))
    return _of_images(f"timm:{name}", module, size, shapes, batch)


def torchvision_source(name: str, shapes: Shapes | None, batch: int) -> ModuleSource:
    """Return torchvision's model of this name."""
    models = _library("torchvision.models", "torchvision")
    known = models.list_models()
    if name not in known:
        raise UserError(f"torchvision has no model {shown(name)}{did_you_mean(name, known)}.")
    module = _made(f"torchvision:{name}", lambda: models.get_model(name, weights=None))
    return _of_images(f"torchvision:{name}", module, IMAGE, shapes, batch)


def hugging_face_source(place: str, shapes: Shapes | None, batch: int) -> ModuleSource:
    """Return the model of a Hugging Face id in the local cache, or of a folder.

    Its inputs are what it cannot do without (words, an image, or both), and those that `shapes`
    names beside them, such as attention_mask. Only its config.json is read: the weights are random,
    and no code of the repository is run.
    """
    transformers = _library("transformers", "transformers")
    name = f"hf:{place}"

    def make() -> nn.Module:
        config = transformers.AutoConfig.from_pretrained(
            place, local_files_only=True, trust_remote_code=False
        )
        module: nn.Module = transformers.AutoModel.from_config(config, trust_remote_code=False)
        return module

    module = _made(name, make)
    config: Any = module.config
    vocabulary = getattr(getattr(config, "text_config", config), "vocab_size", None) or WORDS
    return _of_inputs(name, module, _hugging_face_inputs(config, batch), shapes, vocabulary)


def _hugging_face_inputs(config: Any, batch: int) -> dict[str, tuple[int, ...]]:
    """Return the sizes of what a transformers model cannot do without."""
    found: dict[str, tuple[int, ...]] = {}
    seen = getattr(config, "vision_config", None) or config
    read = getattr(config, "text_config", None) or config
    if hasattr(seen, "image_size"):
        side = seen.image_size or IMAGE[1]
        height, width = side if isinstance(side, (list, tuple)) else (side, side)
        found["pixel_values"] = (batch, getattr(seen, "num_channels", 3), height, width)
    if getattr(read, "vocab_size", None) and (not found or read is not config):
        longest = getattr(read, "max_position_embeddings", None) or WORDS
        found["input_ids"] = (batch, min(WORDS, longest))
        if getattr(config, "is_encoder_decoder", False):
            found["decoder_input_ids"] = found["input_ids"]
    if not found:
        found["pixel_values"] = (batch, getattr(config, "num_channels", 3), *IMAGE[1:])
    return found


def _of_inputs(
    name: str,
    module: nn.Module,
    defaults: dict[str, tuple[int, ...]],
    shapes: Shapes | None,
    vocabulary: int = WORDS,
) -> ModuleSource:
    sizes = sizes_of_inputs(module, defaults, shapes)
    examples = [(one, example_of(one, shape, vocabulary)) for one, shape in sizes.items()]
    try:
        return ModuleSource(name, by_name(module, list(sizes)), examples)
    except Exception as error:  # anything that a module raises for inputs that it cannot take
        words = " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
        raise UserError(
            f"{name} cannot be run with {', '.join(sizes)}: {words}; it takes "
            f"{', '.join(input_names(module))}: give `shapes` of those it needs."
        ) from None


def _of_images(
    name: str,
    module: nn.Module,
    size: tuple[int, ...],
    shapes: Shapes | None,
    batch: int,
    given: str = "input",
) -> ModuleSource:
    import torch

    if shapes is not None and len(shapes) > 1:
        return _of_inputs(name, module, {}, shapes)
    if len(needed := needed_inputs(module)) > 1:
        raise UserError(
            f"{name} takes {len(needed)} inputs, {', '.join(needed)}; give `shapes` of each."
        )
    sizes = _sizes(given, (batch, *size), shapes)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(*sizes, generator=generator)
    return _made(name, lambda: ModuleSource(name, module, [(given, image)]))


def _sizes(name: str, default: tuple[int, ...], shapes: Shapes | None) -> tuple[int, ...]:
    """Return the sizes of a module's one input, which may be called `x` or `input` too."""
    if not shapes:
        return default
    if name not in shapes and "x" not in shapes and "input" not in shapes:
        raise UserError(f"`shapes` names {', '.join(shapes)}; the model's input is {name}.")
    return tuple(next(iter(shapes.values())))


def _library(name: str, title: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (ImportError, RuntimeError, AttributeError) as error:  # a torchvision of another torch
        words = " ".join(str(error).split())[:120]
        raise UserError(
            f"this model is made by {title}, which cannot be imported here ({words}); install it "
            "beside the torch it belongs to, or export the model to ONNX where it is installed."
        ) from None


def _made(name: str, make: Callable[[], Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()
    except UserError:
        raise
    except Exception as error:  # anything that a library raises for a model it cannot make or run
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{name} cannot be made: {words}.") from None
