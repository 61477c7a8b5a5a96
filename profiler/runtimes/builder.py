"""The process that builds: `python -m vitprof.profiler.runtimes.builder`.

It has what converts models (torch, a converter), so the memory and the threads of what is measured
are in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from .child import serve

if TYPE_CHECKING:
    import numpy as np

    from ...models import Spec

CPU = "cpu"


def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell what is here ("here"), or build a model ("build")."""
    return _here() if request["do"] == "here" else _build(request)


def _here() -> dict[str, Any]:
    """Return the version, and of each backend of the CPU why it is not here, None where it is."""
    from ...backends import find_device

    device = find_device(CPU)
    return {
        "version": __version__,
        "backends": {
            name: device.why_not_here(name) or device.why_no_build_here(name)
            for name in device.backends
        },
        "dtypes": {name: list(device.dtypes_by(name)) for name in device.backends},
    }


def _build(request: Mapping[str, Any]) -> dict[str, Any]:
    """Write the artifact, and the outputs of the torch module where the model is one.

    `model`: {"text": a --model} or {"spec": a spec's fields}; `setting`; `out`: a path without
    suffix; `artifacts`: the folder that keeps what is compiled, or None.
    """
    import numpy as np

    from ...tables.setting import PartialSetting
    from ..target import target_of
    from ..workshop import Workshop

    setting = PartialSetting(**request["setting"])
    spec = _spec(request["model"], setting.batch)
    target = target_of(setting).keeping(request["artifacts"])
    with Workshop(target) as workshop:
        artifact = workshop.built(spec)
        built_s = workshop.build_s or None
    out = Path(request["out"])
    out.with_suffix(".artifact").write_bytes(artifact)
    exact = _outputs_of_module(spec, setting.batch)
    if exact is not None:
        np.savez(out.with_suffix(".npz"), *exact)
    return {
        "bytes": len(artifact),
        "build_s": built_s,
        "setting": target.setting.as_dict(),
        "exact": exact is not None,
    }


def _spec(model: Mapping[str, Any], batch: int) -> Spec:
    from ...foreign.open_model import is_foreign, open_model
    from ...models import Spec, create_spec

    if "spec" in model:
        return Spec.from_dict(model["spec"])
    text = model["text"]
    return open_model(text, model.get("shapes"), batch) if is_foreign(text) else create_spec(text)


def _outputs_of_module(spec: Spec, batch: int) -> list[np.ndarray] | None:
    """Return what the torch module computes in fp32 on the seeded input; None of a mere graph."""
    import torch

    from ...backends.pytorch.session import tensors_of
    from ...backends.random_input import input_dtype, seeded_input
    from ..random_module import module_of

    found = module_of(spec)
    if found is None:
        return None
    module, shape = found
    values = torch.from_numpy(seeded_input((batch, *shape), input_dtype(module, "fp32")))
    with torch.inference_mode():
        return [tensor.float().numpy() for tensor in tensors_of(module(values))]


if __name__ == "__main__":
    serve(answer)
