"""Options that several commands share."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ...atomic_write import check_writable  # noqa: F401 - commands import it with the other checks
from ...errors import UserError

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting

PICTURES = (".png", ".svg", ".pdf")

F = TypeVar("F", bound=Callable[..., Any])

table_option = click.option(
    "--table",
    "table_path",
    default="lut.csv",
    show_default=True,
    type=click.Path(path_type=Path),
    help="A table that vitprof measure wrote.",
)
at_option = click.option(
    "--at",
    metavar="undisturbed|typical|p90",
    help="State latencies at this speed of the table's machine: undisturbed, typical (median "
    "while the table was measured), or 90th percentile (default: the table's own, undisturbed).",
)
extrapolate_option = click.option(
    "--extrapolate",
    is_flag=True,
    help="Also answer outside the measured range, and mark the answer.",
)


def seconds_of(text: str) -> float:
    """Return the seconds that "90", "90s", "2m" or "1h" mean; raises UserError otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", text.strip())
    if not match or float(match[1]) == 0:
        from ...models.checks import shown

        raise UserError(f"{shown(text)} is not a time; write it as 60s, 2m or 1h.")
    return float(match[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[match[2] or "s"]


def check_picture(path: Path) -> None:
    """Raise UserError for a picture whose suffix is not one that can be drawn."""
    if path.suffix.lower() not in PICTURES:
        raise UserError(f"{path} is not a picture we draw; end it in {', '.join(PICTURES)}.")


def given_options(names: Iterable[str]) -> list[str]:
    """Return those of the running command's parameters that the command line gives, as options."""
    context, names = click.get_current_context(), set(names)
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]


def given_settings(wanted: PartialSetting) -> dict[str, Any]:
    """Return those values of a setting that the command line gives, by name."""
    return {name: value for name, value in wanted.as_dict().items() if given_options({name})}


def with_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    """Add options, in help in this order."""
    for option in reversed(options):
        function = option(function)
    return function


def grouped_options(
    function: F, name: str, kind: type, options: Sequence[Callable[[Any], Any]]
) -> F:
    """Add options, handed on as one argument `name`: a dataclass `kind` of their values."""

    @functools.wraps(function)
    def with_group(**given: Any) -> Any:
        fields = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]
        return function(**{name: kind(**{field: given.pop(field) for field in fields})}, **given)

    decorated: Any = with_group
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _use_device_files(context: click.Context, _: click.Parameter, files: tuple[Path, ...]) -> None:
    if files:
        from ...backends.devices import use_device_files

        root = context.find_root()
        root.call_on_close(use_device_files)
        given: list[Path] = root.meta.setdefault("vitprof.device_files", [])
        given += files
        use_device_files(given)


# A device file may be given to `vitprof` itself, for every command, and where a device is named.
devices_option = click.option(
    "--devices",
    "device_files",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_use_device_files,
    type=click.Path(path_type=Path),
    help="A file with further devices, in the format of ~/.config/vitprof/devices.toml; may be "
    "repeated.",
)


def setting_options(function: F) -> F:
    """Add --device, --batch, --threads and the others of what is measured under, as `wanted`."""

    @functools.wraps(function)
    def with_wanted(**given: Any) -> Any:
        from ...tables.setting import PartialSetting

        names = [field.name for field in dataclasses.fields(PartialSetting)]
        return function(wanted=PartialSetting(**{name: given.pop(name) for name in names}), **given)

    decorated: Any = with_wanted
    for option in (
        click.option(
            "--graph",
            default="none",
            show_default=True,
            help="cuda_graph replays a recorded graph on NVIDIA GPUs, without launch overhead.",
        ),
        click.option(
            "--cache",
            default="warm",
            show_default=True,
            help="cold flushes the L2 cache of a GPU before every run.",
        ),
        click.option(
            "--sparsity",
            default="dense",
            show_default=True,
            help="2:4 for the sparse tensor cores of NVIDIA GPUs from Ampere on.",
        ),
        click.option(
            "--provider",
            default=None,
            help="How the backend runs: an execution provider of ONNX Runtime; eager or compile "
            "of PyTorch; CPU, GPU, NPU or AUTO of OpenVINO; xnnpack or portable of ExecuTorch; "
            "tensorrt or tensorrt_rtx; all, cpu, cpu+gpu or cpu+ane of Core ML.",
        ),
        click.option(
            "--backend",
            default=None,
            help="onnxruntime, openvino, torch, litert, executorch, tensorrt, cuda or coreml "
            "(default: the device's own).",
        ),
        click.option(
            "--dtype",
            default=None,
            help="fp32, fp16, bf16, int8 or int8-static (default: the device's).",
        ),
        click.option(
            "--threads",
            default=1,
            show_default=True,
            type=click.IntRange(1, 1024),
            help="Threads of the runtime; timings are most repeatable with one.",
        ),
        click.option(
            "--batch",
            default=1,
            show_default=True,
            type=click.IntRange(1, 65536),
            help="Images per run.",
        ),
        click.option("--device", default="cpu", show_default=True, help="See vitprof devices."),
        devices_option,
    ):
        decorated = option(decorated)
    return decorated
