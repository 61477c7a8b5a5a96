"""`vitprof.quantize` of a foreign model: no accuracy, but how far its outputs are from fp32's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import BackendError
from ..errors import UserError
from ..models.families.foreign.spec import ForeignSpec
from ..profiler.deployed.result import DeployedModels
from ..progress import OnProgress

if TYPE_CHECKING:
    from ..profiler.deployed.comparison import Comparison
    from ..profiler.deployed.foreign import Feeds

# So many inputs are compared; and so many random ones, all alike, are enough to learn ranges from.
COMPARED = 8
RANDOM = 16


@dataclass(frozen=True, repr=False)
class QuantizeResult(DeployedModels):
    """The files of a model, one a number format, side by side; fp32 first.

    `inputs` says of a foreign model what its ranges were learned from and its outputs compared on;
    `unquantized` what stays in fp32, in words.
    """

    model: str
    inputs: str | None = None
    unquantized: tuple[str, ...] = ()

    def about(self) -> dict[str, Any]:
        record = {"model": self.model, "runtime": self.runtime}
        return record if self.inputs is None else record | {"inputs": self.inputs}

    @property
    def remarks(self) -> list[str]:
        """What one should know, in words: where a model does not pay, or computes otherwise."""
        found = [*super().remarks, *self.unquantized]
        for one in self.facts:
            if one.output_error is not None and one.output_error > BEYOND_USE:
                found.append(
                    f"{one.name} computes something else than fp32: its outputs are "
                    f"{one.output_error:.0%} off on {self.inputs}."
                )
        if self.inputs is not None:
            learned = "; int8-static learned its ranges from others" if self._is_static else ""
            found.append(
                f"accuracy is not measured; outputs are compared on {self.inputs}{learned}."
            )
        return found

    @property
    def _is_static(self) -> bool:
        return any(one.precision == "int8-static" for one in self.facts)


# Of the outputs' size.
BEYOND_USE = 0.5


def quantize_foreign(
    spec: ForeignSpec,
    comparison: Comparison,
    dtypes: Sequence[str],
    out: Path,
    *,
    data: str | None,
    calibration: str,
    calibration_images: int,
    on_progress: OnProgress,
    begin: Callable[[], object],
) -> QuantizeResult:
    """Write a foreign model in these number formats, measure the files, and compare their outputs.

    `begin` is called before the first file is written.

    Raises UserError for images that its input does not fit, and where it cannot be converted or run
    here; what cannot be converted is found before anything is written.
    """
    from ..profiler.deployed.foreign import converted, left_in_fp32, random_feeds, write_foreign
    from ..profiler.deployed.output_error import output_errors

    assert spec.source is not None, "a model that was opened has a source"
    try:
        model = spec.source.onnx()
    except BackendError as error:
        raise UserError(f"{spec.name} cannot be run here: {error}.") from None
    if data is None:
        inputs = "seeded random inputs"
        learned = random_feeds(spec, model, RANDOM, first=1)
        compared = random_feeds(spec, model, COMPARED, first=1 + RANDOM)
    else:
        inputs = f"images of {data}"
        learned, compared = _of_images(spec, data, calibration_images, on_progress)
    made = {}
    for done, one in enumerate(dtypes):
        on_progress("converting", done, len(dtypes), one)
        made[one] = converted(spec, model, one, learned, calibration)
        on_progress("converting", done + 1, len(dtypes), one)
    begin()
    files = {
        one: write_foreign(spec, data, one, out, comparison.threads) for one, data in made.items()
    }
    try:
        errors = output_errors(files, compared)
    except BackendError as error:
        raise UserError(f"{spec.name} cannot be run here: {error}.") from None
    facts = comparison.measure(files, None, None, on_progress)
    return QuantizeResult(
        tuple(replace(one, output_error=errors[one.name]) for one in facts),
        "onnxruntime",
        out,
        spec.name,
        inputs,
        tuple(filter(None, (left_in_fp32(model, one) for one in dtypes))),
    )


def _of_images(
    spec: ForeignSpec, data: str, count: int, on_progress: OnProgress
) -> tuple[Feeds, Feeds]:
    """Return training images to learn ranges from, and test images to compare on, in batches."""
    from ..profiler.deployed.deployed_runtime import in_batches
    from ..training.data.datasets import load_dataset
    from ..training.inputs import calibration_inputs

    name, shape = spec.inputs[0]
    if len(spec.inputs) != 1 or len(shape) != 4 or shape[2] != shape[3]:
        named = ", ".join(f"{one} {' x '.join(map(str, sizes))}" for one, sizes in spec.inputs)
        raise UserError(
            f"{spec.name} takes no batch of square images but {named}; remove `data`, and its "
            "ranges are learned from random inputs."
        )
    found = load_dataset(data, shape[2], on_progress)
    if found.train.channels != shape[1]:
        raise UserError(
            f"{found.train.name} has {found.train.channels} channels and {spec.name} takes "
            f"{shape[1]}; remove `data`, or give images of that many."
        )
    norm = found.normalisation
    batch = shape[0]
    learned = calibration_inputs(found.train, norm, count)
    compared = calibration_inputs(found.test, norm, COMPARED * batch)
    return (
        [{name: one} for one in in_batches(learned, batch)],
        [{name: one} for one in in_batches(compared, batch)],
    )
