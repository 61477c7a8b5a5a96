"""Hugging Face's ids, such as google/vit-base-patch16-224, and the local cache of their files.

The cache holds `models--ORG--NAME/refs/main`, which names a revision, and
`snapshots/REVISION/config.json`, mostly links into `blobs/` of the same model
(huggingface.co/docs/huggingface_hub, "Understand caching"). Nothing here uses the network but
`fetch`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import UserError
from .checks import shown

CONFIG = "config.json"
# The first that the cache or the hub has is read.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# What else a model's folder needs: how its images are normalised, or its texts cut into words.
_BESIDE = ("preprocessor_config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_ID = re.compile(rf"({_PART})/({_PART})")
_REVISION = re.compile(r"[0-9a-f]{40,64}")
# What is a file's name, though it has the form of an id.
_SUFFIXES = (".json", ".onnx", ".pt", ".pt2", ".pth", ".bin", ".safetensors", ".py", ".csv")


def is_hub_id(text: str) -> bool:
    """Whether it has the form ORG/NAME of an id, and names no file or folder that exists."""
    if not _ID.fullmatch(text) or ".." in text or "--" in text:
        return False
    return not text.lower().endswith(_SUFFIXES) and not os.path.lexists(text)


def hub_cache() -> Path:
    """Return the folder of the cache, as HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME have it."""
    if given := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(given).expanduser()
    above = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = os.environ.get("HF_HOME") or above / "huggingface"
    return Path(home).expanduser() / "hub"


def cached_folder(model: str) -> Path | None:
    """Return the folder in the cache with the id's config.json; None where it is not there.

    Raises UserError where the files of a model lead out of its folder in the cache.
    """
    if not is_hub_id(model):
        return None
    home = hub_cache() / f"models--{model.replace('/', '--')}"
    try:
        revision = (home / "refs" / "main").read_text().strip()
    except (OSError, ValueError):
        return None
    if not _REVISION.fullmatch(revision):
        return None
    folder = home / "snapshots" / revision
    if not (folder / CONFIG).is_file():
        return None
    root = home.resolve()
    for name in (CONFIG, *WEIGHTS, *_BESIDE):
        if not (folder / name).resolve().is_relative_to(root):
            raise UserError(
                f"the cache's {name} of {model} leads out of {home}, and is not read; delete that "
                "folder and give `download`."
            )
    return folder


def cached_or_refuse(model: str) -> Path:
    """Return `cached_folder`; UserError where the id is not in the cache."""
    folder = cached_folder(model)
    if folder is None:
        raise UserError(
            f"{shown(model)} is not a file or directory, and not in the local Hugging Face cache; "
            "give `download`, or a folder."
        )
    return folder


def id_of_snapshot(folder: Path) -> str | None:
    """Return ORG/NAME where the folder is a snapshot in a cache, else None."""
    parts = folder.parts[-3:]
    if len(parts) != 3 or parts[1] != "snapshots" or not parts[0].startswith("models--"):
        return None
    return parts[0].removeprefix("models--").replace("--", "/")


def fetch(model: str, weights: bool = False) -> Path:
    """Download an id's config.json into the cache, and its weights where asked; return the folder.

    What the cache has already is not loaded again. Raises UserError where huggingface_hub is not
    installed, where the hub has no such model, and where it cannot be reached.
    """
    folder = cached_folder(model)
    if folder is not None and (not weights or _has_weights(folder)):
        return folder
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError:
        raise UserError(
            f"downloading {model} needs huggingface_hub; run 'pip install huggingface_hub'."
        ) from None

    def download(name: str) -> bool:
        try:
            hf_hub_download(model, name, cache_dir=hub_cache())
        except EntryNotFoundError:
            return False
        except Exception as error:  # of the network, the hub or the disk
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"{model} cannot be downloaded ({reason.rstrip('.')[:160]}); check the id, and "
                "that huggingface.co can be reached."
            ) from None
        return True

    if not download(CONFIG):
        raise UserError(f"{model} has no config.json at huggingface.co; give another model.")
    if weights:
        if not any(download(name) for name in WEIGHTS):
            raise UserError(
                f"{model} has none of {' and '.join(WEIGHTS)} at huggingface.co; give another "
                "model."
            )
        for name in _BESIDE:
            download(name)
    return cached_or_refuse(model)


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in WEIGHTS)


def weights_folder(model: str) -> Path:
    """Return the cached folder of an id, with its weights; UserError where they are not there."""
    folder = cached_or_refuse(model)
    if not _has_weights(folder):
        raise UserError(
            f"the local Hugging Face cache has the config.json of {model}, but not its weights; "
            "give `download`."
        )
    return folder
