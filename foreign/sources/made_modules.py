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

if TYPE_CHECKING:
    import torch
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

    Only its config.json is read: the weights are random, and no code of the repository is run.
    """
    import torch

    transformers = _library("transformers", "transformers")
    name = f"hf:{place}"

    def make() -> nn.Module:
        config = transformers.AutoConfig.from_pretrained(
            place, local_files_only=True, trust_remote_code=False
        )
        config.return_dict = False
        module: nn.Module = transformers.AutoModel.from_config(config, trust_remote_code=False)
        return module

    module = _made(name, make)
    config: Any = module.config
    if getattr(config, "vocab_size", None) and not hasattr(config, "image_size"):
        sizes = _sizes("input_ids", (batch, WORDS), shapes)
        words = torch.arange(sizes[0] * sizes[1]).reshape(sizes) % min(config.vocab_size, 64)
        return ModuleSource(name, _First(module), [("input_ids", words)])
    side = getattr(config, "image_size", None) or IMAGE[1]
    height, width = side if isinstance(side, (list, tuple)) else (side, side)
    size = (getattr(config, "num_channels", 3), height, width)
    return _of_images(name, _First(module), size, shapes, batch, "pixel_values")


def _First(module: nn.Module) -> nn.Module:  # noqa: N802 - makes a module
    """Return a module of the first output alone: a graph of tensors has no tuples of None."""
    from torch import nn

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found = self.model(x)
            first: torch.Tensor = found[0] if isinstance(found, tuple) else found
            return first

    return First()


def _of_images(
    name: str,
    module: nn.Module,
    size: tuple[int, ...],
    shapes: Shapes | None,
    batch: int,
    given: str = "input",
) -> ModuleSource:
    import torch

    sizes = _sizes(given, (batch, *size), shapes)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(*sizes, generator=generator)
    return _made(name, lambda: ModuleSource(name, module, [(given, image)]))


def _sizes(name: str, default: tuple[int, ...], shapes: Shapes | None) -> tuple[int, ...]:
    """Return the sizes of a module's one input, which may be called `x` or `input` too."""
    if not shapes:
        return default
    if len(shapes) > 1 or (name not in shapes and "x" not in shapes and "input" not in shapes):
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
    except Exception as error:  # whatever a library raises for a model it cannot make or run
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{name} cannot be made: {words}.") from None
