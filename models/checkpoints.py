"""Weights from files with timm's, facebook's or Hugging Face's names.

Nothing that stands in a file is executed: a pickle that needs code is refused.
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..notes import warn
from ..shown import shown
from ..untrusted.archives import check_unpacked, opened_zip
from ..untrusted.memory import check_memory
from .families.registry import find_family

if TYPE_CHECKING:
    from torch import Tensor

    from .modules.spec_model import SpecModel

Rename = Callable[[Mapping[str, "Tensor"]], Mapping[str, "Tensor"]]

_FILES_OF_A_DIRECTORY = ("model.safetensors", "pytorch_model.bin")
# What modules keep beside their weights: counters, and tables that follow from the architecture.
_BOOKKEEPING = re.compile(
    r"(^|\.)(num_batches_tracked|relative_position_index|attention_bias_idxs|attn_mask|position_ids)$"
)
# Where training scripts put the weights beside the optimizer's state.
_WRAPPERS = ("model", "state_dict")


@dataclass(frozen=True)
class Checkpoint:
    """Weights under the names of a family's module; `names` are those that the file has."""

    path: Path
    weights: Mapping[str, Tensor]
    names: frozenset[str]


def read_checkpoint(path: str | os.PathLike[str], family: str | None = None) -> Checkpoint:
    """Read a .safetensors, .pth, .pt or .bin file, or a directory that holds one.

    The weights get the names of this family's module; without a family they keep their own. Raises
    UserError for a path that does not exist and a file that is not a checkpoint, is truncated, or
    needs code of its own to be read.
    """
    file = _file_of(Path(path))
    weights = _read_weights(file)
    rename: Rename | None = None if family is None else find_family(family).load("rename")
    try:
        renamed = weights if rename is None else rename(weights)
    except UserError as error:
        raise UserError(f"the checkpoint '{file}': {error}") from None
    return Checkpoint(file, renamed, frozenset(weights))


def load_weights(module: SpecModel, checkpoint: str | os.PathLike[str] | Checkpoint) -> None:
    """Copy all weights of the checkpoint into `module`.

    Raises UserError naming the first weight that is missing, unexpected or of another shape, and
    for what `read_checkpoint` refuses. The module is unchanged then.
    """
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = read_checkpoint(checkpoint, module.spec.family)
    given = checkpoint.weights
    needed = {n: w for n, w in module.state_dict().items() if not _BOOKKEEPING.search(n)}
    where = f"the checkpoint '{checkpoint.path}'"
    remedy = "create the model from the spec that the checkpoint was made for."
    for name, weight in needed.items():
        if name not in given:
            raise UserError(f"{where} has no weight '{name}', which the model needs; {remedy}")
        if given[name].shape != weight.shape:
            raise UserError(
                f"{where} holds '{name}' of shape {tuple(given[name].shape)}, but the model's is "
                f"{tuple(weight.shape)}; {remedy}"
            )
    for name in given:
        if name not in needed:
            raise UserError(f"{where} holds {shown(name)}, which the model has not; {remedy}")
    _warn_of_no_numbers(where, given)
    module.load_state_dict(dict(given), strict=False)  # all is checked; bookkeeping stays


def _warn_of_no_numbers(where: str, given: Mapping[str, Tensor]) -> None:
    """Say that weights are NaN or infinite: such a model answers, and its answers mean nothing."""
    wrong = [name for name, weight in given.items() if not weight.isfinite().all()]
    if wrong:
        others = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        warn(
            f"warning: {where} holds weights that are NaN or infinite ({shown(wrong[0])}{others}); "
            "what the model answers means nothing."
        )


def _file_of(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"there is no checkpoint '{path}'; check the path.")
    if not path.is_dir():
        return path
    for name in _FILES_OF_A_DIRECTORY:
        if (path / name).is_file():
            return path / name
    raise UserError(
        f"the directory '{path}' holds no checkpoint ({' or '.join(_FILES_OF_A_DIRECTORY)}); give "
        "the path of the file (one split into several parts must be joined first)."
    )


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        with file.open("rb") as opened:
            start = opened.read(9)
    except OSError as error:
        raise UserError(f"cannot read '{file}': {error.strerror}; check the path.") from None
    check_memory(file.stat().st_size, f"the checkpoint '{file}'")
    if start[8:9] == b"{":
        content: Any = _read_safetensors(file)
    elif start.startswith((b"PK", b"\x80")):
        if start.startswith(b"PK"):
            _check_unpacked(file)
        content = _read_torch(file)
    else:
        what = "empty" if not start else "not a checkpoint"
        raise UserError(f"'{file}' is {what}; give a .safetensors, .pth, .pt or .bin file.")
    return _state_dict(content, file)


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"'{file}' cannot be read as safetensors ({_first_sentence(error)}): it is "
            "truncated or damaged; fetch it again."
        ) from None


def _check_unpacked(file: Path) -> None:
    """Refuse a zip that unpacks to more than the memory: PyTorch never packs, others may."""
    try:
        archive = opened_zip(file)
    except UserError as error:
        raise UserError(_damaged(file, error)) from None
    with archive:
        check_unpacked(file, archive, "the checkpoint")


def _read_torch(file: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the error alone says what is wrong
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "global" not in str(error).lower():
            raise UserError(_damaged(file, error)) from None
        raise UserError(
            f"'{file}' holds more than weights and would run code to be read, which is refused; "
            "save it again with torch.save(model.state_dict(), ...)."
        ) from None
    except Exception as error:  # a damaged pickle may raise anything
        if "TorchScript" in str(error):
            raise UserError(
                f"'{file}' is a TorchScript program, which holds code beside its weights; save "
                "only those with torch.save(model.state_dict(), ...)."
            ) from None
        raise UserError(_damaged(file, error)) from None


def _damaged(file: Path, error: Exception) -> str:
    return (
        f"'{file}' cannot be read by torch.load ({_first_sentence(error)}): it is "
        "truncated, damaged or not a checkpoint; fetch it again."
    )


def _first_sentence(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.split(". ")[0].rstrip(".")[:120]


def _state_dict(content: Any, file: Path) -> dict[str, Tensor]:
    import torch

    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise UserError(
            f"'{file}' holds no weights by name; save it with torch.save(model.state_dict(), ...)."
        )
    weights = {
        name: weight
        for name, weight in content.items()
        if not (isinstance(name, str) and _BOOKKEEPING.search(name))
    }
    for name, weight in weights.items():
        is_dense = isinstance(weight, torch.Tensor) and weight.layout is torch.strided
        if isinstance(weight, torch.Tensor) and weight.is_meta:
            raise UserError(
                f"'{file}' holds {shown(name)} without its values (a meta tensor); save it again "
                "with torch.save(model.state_dict(), ...)."
            )
        if not isinstance(name, str) or not is_dense or not weight.is_floating_point():
            kind = weight.dtype if isinstance(weight, torch.Tensor) else type(weight).__name__
            raise UserError(
                f"'{file}' holds {shown(name)} of type {kind}, but weights are dense tensors of "
                "floating-point numbers; save it with torch.save(model.state_dict(), ...)."
            )
    return weights
