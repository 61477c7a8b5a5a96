"""A teacher of transformers: any image classifier in a folder, such as a ResNet or a RegNet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...models.checkpoints import read_checkpoint
from ...models.checks import shown
from ...models.transformers_log import quiet
from .opened import Opened
from .preprocessing import read_preprocessing

# What in a config would choose code or kernels, or another way to hold the weights.
_CODE = re.compile(r"_implementation|auto_map|quantization|^_name_or_path$|pretrained_backbone")


class LogitsOf(nn.Module):
    """A classifier of transformers, of whose answers only the logits are taken."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(pixel_values=images).logits
        return logits


def from_hugging_face(folder: Path, record: Mapping[str, Any]) -> Opened:
    """Return the image classifier of a folder in fp32; `record` is its config.json.

    transformers itself opens no file and downloads nothing; no code of the folder is run. Raises
    UserError where transformers cannot make it, and where the file does not hold all its weights.
    """
    import transformers

    weights = read_checkpoint(folder).weights
    kind: Any = record.get("model_type")
    fields = {k: v for k, v in record.items() if k != "model_type" and not _CODE.search(k)}
    try:
        with quiet(transformers):
            config: Any = transformers.AutoConfig.for_model(kind, **fields)
            with torch.device("meta"):
                made = transformers.AutoModelForImageClassification.from_config(
                    config, trust_remote_code=False
                )
            _check_size(made, weights)
            classifier, found = type(made).from_pretrained(
                None,
                config=config,
                state_dict=dict(weights),
                dtype=torch.float32,
                output_loading_info=True,
            )
    except UserError as error:
        raise UserError(f"`teacher` {folder}: {error}") from None
    except Exception as error:  # anything that transformers raises for a config that it cannot take
        words = " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
        raise UserError(
            f"`teacher` {folder} is not an image classifier that transformers makes: {words}."
        ) from None
    # Counters of batch norms play no part.
    missing = sorted(n for n in found["missing_keys"] if not n.endswith("num_batches_tracked"))
    if missing:
        raise UserError(
            f"`teacher` {folder} has no weights for {shown(missing[0])}, which would be random; "
            "give a trained model."
        )
    wanted = read_preprocessing(folder)
    side = getattr(config, "image_size", None)
    if isinstance(side, int):
        wanted = replace(wanted, side=side)
    names = [str(config.id2label[place]) for place in range(config.num_labels)]
    channels = getattr(config, "num_channels", 3)
    return Opened(
        LogitsOf(classifier),
        str(folder),
        wanted,
        config.num_labels,
        config.to_json_string(),
        channels,
        names,
    )


def _check_size(made: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Raise UserError where the config's model is far larger than the weights: it would be made."""
    wanted = sum(weight.numel() for weight in made.parameters())
    given = sum(weight.numel() for weight in weights.values())
    if wanted > 2 * given:
        raise UserError(
            f"its config.json is of a model of {wanted} parameters, and its weights are {given}; "
            "they do not belong together."
        )
