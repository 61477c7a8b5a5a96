"""A foreign model in a .pt2 file, as torch.export.save writes it.

torch.export.load can be made to run code: by pickles, by objects of other kinds, by symbolic sizes
and guards (which it evaluates), by names (which it writes into Python code), and by operators that
are not PyTorch's own. So an archive may hold only what a program of plain tensors holds. A copy of
just these entries, with numbers in the place of open sizes (`open_sizes.py`), is what is loaded.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...models.checks import shown
from ...untrusted.archives import check_unpacked, opened_zip, read_entry
from ...untrusted.structured import json_object
from ..shapes import Shapes
from .module_source import ModuleSource
from .open_sizes import bind_sizes, has_open_sizes

if TYPE_CHECKING:
    import torch

_PROGRAM = "models/model.json"
_TENSOR = re.compile(r"(weight|tensor)_\d+")
_ENTRY = re.compile(
    r"data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|models/model\.json"
    r"|archive_format|archive_version|byteorder|\.data/(version|serialization_id)"
)
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prim|prims|higher_order)\.\w+(\.\w+)?"
    # The latter compute sizes.
    r"|_operator\.(getitem|add|sub|mul|floordiv|mod|neg|eq|ne|lt|le|gt|ge)"
)
# Reads, and may make, a file.
_REFUSED = "torch.ops.aten.from_file"


def exported_source(path: Path, shapes: Shapes | None = None, batch: int = 1) -> ModuleSource:
    """Return the model of a .pt2 file, with its weights and its example inputs.

    An open batch is bound to `batch`, other open sizes to those in `shapes`; what is fixed stays
    as it is. Raises UserError for a file that is none, that holds what loading could run, that has
    no example inputs, or that leaves sizes open which nothing says.
    """
    import torch

    if not path.is_file():
        raise UserError(f"there is no file {shown(str(path))}; check the path.")
    archive, bound = _checked(path, shapes, batch)
    try:
        with _no_log_of_torch():
            program = torch.export.load(archive)
        module = _in_one_mode(program.module())
        given = program.example_inputs
        if bound is not None and given is not None:
            pairs = zip(given[0], bound, strict=True)
            given = (tuple(_of_shape(one, shape) for one, shape in pairs), given[1])
    except Exception as error:  # anything that torch raises for a damaged archive
        words = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(
            f"'{path}' is not an exported program that can be loaded: {words}."
        ) from None
    if given is None or given[1] or not all(isinstance(one, torch.Tensor) for one in given[0]):
        raise UserError(
            f"'{path}' has no example inputs that are plain tensors; export the program with them."
        )
    names = [f"input_{n}" if n else "input" for n in range(len(given[0]))]
    return ModuleSource(path.stem, module, list(zip(names, given[0], strict=True)), fill=False)


@contextlib.contextmanager
def _no_log_of_torch() -> Iterator[None]:
    """Keep torch from printing a traceback of what it then raises."""
    logger = logging.getLogger("torch.export")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _of_shape(value: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return an example of another shape, of the same values: words stay words of a vocabulary."""
    import torch

    for axis, size in enumerate(shape):
        value = value.index_select(axis, torch.arange(size) % value.shape[axis])
    return value


def _in_one_mode(module: Any) -> Any:
    """Let a program be asked for its mode, which it has for good: exporters ask."""
    module.train = lambda mode=True: module
    module.eval = lambda: module
    return module


def _checked(
    path: Path, shapes: Shapes | None, batch: int
) -> tuple[io.BytesIO, list[tuple[int, ...]] | None]:
    """Return a copy of the archive that has no open sizes, and the inputs' shapes where it had.

    Raises UserError unless loading it runs nothing.
    """
    with opened_zip(path) as archive:
        check_unpacked(path, archive, "the exported program")
        names = archive.namelist()
        _check_names(path, names)
        found = {_within(name): _entry(path, archive, name) for name in names}
    try:
        bound = _bound(path, found, shapes, batch)
        _check_contents(path, found)
    except UserError:
        raise
    except Exception as error:  # torch refuses what is not plain weights
        words = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"'{path}' holds more than plain tensors ({words}), which loading would run; this is "
            "refused."
        ) from None
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        for name, data in found.items():
            archive.writestr(f"model/{name}", data)
    copy.seek(0)
    return copy, bound


def _bound(
    path: Path, found: dict[str, bytes], shapes: Shapes | None, batch: int
) -> list[tuple[int, ...]] | None:
    """Bind the open sizes of an archive's program; return its inputs' shapes, None without any."""
    program = _json(path, _PROGRAM, found.get(_PROGRAM, b"{}"))
    if not has_open_sizes(program):
        return None
    try:
        bound = bind_sizes(program, shapes, batch)
    except UserError as error:
        raise UserError(f"'{path}' {error}") from None
    found[_PROGRAM] = json.dumps(program).encode()
    return bound


def _entry(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """Return an entry's content, which is as long as the list of contents says."""
    size = archive.getinfo(name).file_size
    data = read_entry(path, archive, name, size)
    if len(data) != size:
        raise UserError(f"'{path}' is cut short at {shown(name)}; export the program again.")
    return data


def _within(name: str) -> str:
    """Return an entry's name within the one folder that an archive has."""
    return name.partition("/")[2]


def _check_names(path: Path, names: list[str]) -> None:
    for name in names:
        if not _ENTRY.fullmatch(_within(name)):
            raise UserError(
                f"'{path}' holds {shown(name)}, which a program of plain tensors does not; this is "
                "refused."
            )
    if len({_within(name) for name in names}) < len(names):
        raise UserError(f"'{path}' holds an entry twice; export the program again.")


def _check_contents(path: Path, found: dict[str, bytes]) -> None:
    import torch

    if _PROGRAM not in found:
        raise UserError(f"'{path}' holds no exported program; export it by torch.export.save.")
    for name, data in found.items():
        if name.endswith(".pt"):
            torch.load(io.BytesIO(data), weights_only=True)
        elif name.endswith("_config.json"):
            folder = PurePosixPath(name).parent
            for payload in _json(path, name, data)["config"].values():
                of_tensor = payload["path_name"]
                if not _TENSOR.fullmatch(of_tensor):
                    raise UserError(f"'{path}' holds {shown(of_tensor)}, not a tensor; refused.")
                if payload.get("use_pickle"):
                    torch.load(io.BytesIO(found[f"{folder}/{of_tensor}"]), weights_only=True)
    for key, value in _fields(_json(path, _PROGRAM, found[_PROGRAM])):
        _check_field(path, key, value)


def _json(path: Path, name: str, data: bytes) -> dict[str, Any]:
    """Return the object of an entry; what `json_object` refuses is not a program."""
    return json_object(data.decode("utf-8"), f"{name} in '{path}'")


def _check_field(path: Path, key: str, value: Any) -> None:
    if key in {"expr_str", "guards_code"} and value:
        raise UserError(f"'{path}' has sizes that are open; export it with fixed shapes.")
    is_operator = key in {"target", "as_operator"}
    if is_operator and (not _OPERATOR.fullmatch(value) or value.startswith(_REFUSED)):
        raise UserError(
            f"'{path}' uses the operator {shown(value)}, not one of PyTorch's own; this is refused."
        )
    if key in {"name", "as_name"} and value and not value.isidentifier():
        raise UserError(f"'{path}' names a value {shown(value)}, which is not a name; refused.")


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of a JSON value with what it has."""
    if isinstance(value, dict):
        yield from value.items()
        for inner in value.values():
            yield from _fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner)
