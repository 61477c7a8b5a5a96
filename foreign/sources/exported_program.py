"""A foreign model in a .pt2 file, as torch.export.save writes it.

Such an archive may hold pickles, and torch.export.load would run them. So each of its entries is
looked at first: only what torch loads as plain weights is let through.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.checks import shown
from .module_source import ModuleSource

LARGEST_ARCHIVE = 16 * 2**30


def exported_source(path: Path) -> ModuleSource:
    """Return the model of a .pt2 file, with its weights and its example inputs.

    Raises UserError for a file that is none, that holds pickles of anything but tensors, and that
    has no example inputs.
    """
    import torch

    if not path.is_file():
        raise UserError(f"there is no file {shown(str(path))}; check the path.")
    _check(path)
    try:
        program = torch.export.load(path)
        module = _in_one_mode(program.module())
        given = program.example_inputs
    except Exception as error:  # whatever torch raises for a damaged archive
        words = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"'{path}' is no exported program that can be loaded: {words}.") from None
    if given is None or given[1] or not all(isinstance(one, torch.Tensor) for one in given[0]):
        raise UserError(
            f"'{path}' has no example inputs that are plain tensors; export the program with them."
        )
    names = [f"input_{n}" if n else "input" for n in range(len(given[0]))]
    return ModuleSource(path.stem, module, list(zip(names, given[0], strict=True)), fill=False)


def _in_one_mode(module: Any) -> Any:
    """Let a program be asked for its mode, which it has for good: exporters ask."""
    module.train = lambda mode=True: module
    module.eval = lambda: module
    return module


def _check(path: Path) -> None:
    """Raise UserError unless every entry of the archive is text or loads as plain tensors."""
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > LARGEST_ARCHIVE:
                raise UserError(f"'{path}' unpacks to more than {LARGEST_ARCHIVE} bytes.")
            pickled = set(_pickled(archive, entries))
            for entry in entries:
                name = entry.filename
                if name in pickled or name.endswith((".pt", ".pkl")):
                    torch.load(io.BytesIO(archive.read(name)), weights_only=True)
                elif "custom_obj" in name or "script_object" in name:
                    raise UserError(
                        f"'{path}' holds an object of its own ({shown(name)}), which loading would "
                        "run; this is refused."
                    )
    except UserError:
        raise
    except zipfile.BadZipFile:
        raise UserError(f"'{path}' is no .pt2 archive, or it is cut short.") from None
    except Exception as error:  # torch refuses what is not plain weights
        words = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"'{path}' holds more than plain tensors ({words}), which loading would run; this is "
            "refused."
        ) from None


def _pickled(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield the entries that the archive itself says are pickles."""
    for entry in entries:
        if not entry.filename.endswith("_config.json"):
            continue
        folder = entry.filename.rpartition("/")[0]
        for payload in _payloads(json.loads(archive.read(entry.filename))):
            if payload.get("use_pickle"):
                yield f"{folder}/{payload.get('path_name')}"


def _payloads(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "path_name" in value:
            yield value
        for inner in value.values():
            yield from _payloads(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _payloads(inner)
