"""A foreign model that a function in a Python file makes: the file is run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.checks import shown
from ...notes import warn
from ..shapes import Shapes
from .made_modules import IMAGE
from .module_source import ModuleSource


def python_source(path: Path, function: str, shapes: Shapes | None, batch: int) -> ModuleSource:
    """Return what the function gives: a module, or a module and its example inputs.

    Without example inputs it is run on `shapes` (default: one image of 224 pixels). Raises
    UserError for a file or function that is not there, fails, or gives something else.
    """
    import torch
    from torch import nn

    name = f"{path}:{function}"
    if not path.is_file():
        raise UserError(f"there is no file {shown(str(path))}; check the path.")
    warn(f"running {path}, which makes the model; give only files whose origin you know.")
    made = _called(path, function)
    given: Any = None
    if isinstance(made, tuple) and len(made) == 2:
        made, given = made
    if not isinstance(made, nn.Module):
        raise UserError(
            f"{name} gives {shown(type(made).__name__)}, not a torch module (nn.Module), or a pair "
            "of a module and its example inputs."
        )
    if given is None:
        wanted = shapes or {"x": (batch, *IMAGE)}
        inputs = [(one, torch.randn(*sizes)) for one, sizes in wanted.items()]
    else:
        values = list(given) if isinstance(given, (tuple, list)) else [given]
        if not all(isinstance(value, torch.Tensor) for value in values):
            raise UserError(f"{name} gives example inputs that are not tensors.")
        inputs = [(f"input_{n}" if n else "input", value) for n, value in enumerate(values)]
    return ModuleSource(name, made, inputs, fill=False)


def _called(path: Path, function: str) -> Any:
    name = f"vitprof_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        make = getattr(module, function, None)
        if not callable(make):
            raise UserError(f"{path} has no function {shown(function)}; check the name.")
        return make()
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path} failed while it was run: {words}.") from None
    finally:
        sys.modules.pop(name, None)
