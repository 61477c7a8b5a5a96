"""The process that compiles ahead of measuring: `python -m vitprof.profiler.compiler`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .runtimes.child import serve


def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Compile a subject into the folder `artifacts`, where it is not there yet.

    `subject`: a model or a chain of blocks as in a bundle; `setting`; `devices`: files of devices;
    `elsewhere`: it is compiled for a device that need not be here. The answer says `refused` where
    the subject cannot be compiled, and `stopped` where nothing can be, as on a full disk.
    """
    from ..backends.devices import use_device_files
    from ..errors import UserError
    from ..tables.setting import PartialSetting
    from .bundle.reading import subject_from_json
    from .target import builder_of, target_of
    from .workshop import CannotBuildError, Workshop

    use_device_files(request["devices"])
    setting = PartialSetting(**request["setting"])
    target = (builder_of if request["elsewhere"] else target_of)(setting)
    try:
        with Workshop(target.keeping(request["artifacts"])) as workshop:
            workshop.built(subject_from_json(request["subject"]))
    except CannotBuildError as error:
        return {"refused": str(error)}
    except UserError as error:
        return {"stopped": str(error)}
    return {}


if __name__ == "__main__":
    serve(answer)
