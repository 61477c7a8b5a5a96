"""`vitprof.quantize`: a model in 8-bit integers, and whether that pays here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError, did_you_mean
from ..models.families.foreign.spec import ForeignSpec
from ..progress import ProgressOption, shown_progress
from .given_weights import trained_folder
from .inputs import Shapes, fetched
from .quantize_foreign import QuantizeResult, quantize_foreign

# How int8-static chooses its ranges.
CALIBRATIONS = ("minmax", "percentile", "entropy")


def quantize(
    model: str | Path,
    data: str | Path | None = None,
    *,
    out: str | Path,
    dtype: str | Sequence[str] = "int8",
    runtime: str = "onnxruntime",
    calibration: str = "minmax",
    calibration_images: int = 256,
    checkpoint: str | Path | None = None,
    resolution: int | None = None,
    batch: int = 1,
    threads: int = 1,
    test_images: int | None = None,
    sessions: int = 5,
    download: bool = False,
    shapes: Shapes | None = None,
    progress: ProgressOption = False,
) -> QuantizeResult:
    """Write a model in int8 beside fp32; measure size, accuracy, latency and memory of both.

    Latencies are measured side by side on this machine's CPU, accuracies with the very files, and
    memory in a process of its own. Nothing is trained. Of a foreign model (docs/foreign.md) no
    accuracy is measured, but how far the outputs are from fp32's: `output_error`, relative.

        files = vitprof.quantize("digits", "digits", out="int8", dtype=["int8", "int8-static"])
        files.to_frame()[["name", "file_bytes", "latency_ms", "top1"]]
        files.remarks
        files.plot()

    Args:
        model: the folder of a trained model, or a foreign model.
        data: see `vitprof.train`. A foreign model needs none: without it ranges are learned and
            outputs compared on seeded random inputs.
        out: folder to write: the files, facts.csv, facts.png and report.json.
        dtype: "int8" quantizes what flows at every run; "int8-static" (all but torch) learns its
            ranges from images; or several of them.
        runtime: what runs it: "onnxruntime", "openvino", "torch" (by torchao), "litert" or
            "executorch".
        calibration: how int8-static chooses its ranges by onnxruntime: "minmax", "percentile" or
            "entropy". LiteRT and ExecuTorch choose them in their own way.
        calibration_images: training images that int8-static learns from.
        checkpoint: the weights of `model`, where that is a name or a spec.
        resolution: scale images to so many pixels a side; None: the model's.
        batch: images a run that is measured.
        threads: the runtime's threads.
        test_images: test on so many of the test images; None: all.
        sessions: fresh sessions that each is measured in.
        download: fetch an id of Hugging Face that the local cache lacks.
        shapes: sizes of a foreign model's inputs, by name, where they are open.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: the runtime lacks the dtype, `out` holds something, or the model cannot be
            converted or run here.
    """
    from ..foreign.open_model import is_foreign, open_model
    from ..profiler.deployed.comparison import Comparison
    from ..profiler.deployed.runtimes import check_method, check_precision
    from ..training.data.loading import images_for_trained
    from ..training.inputs import calibration_inputs
    from ..training.saved_run import SavedRun

    comparison = Comparison(batch, threads, test_images, sessions)
    dtypes = list(dict.fromkeys(["fp32", *([dtype] if isinstance(dtype, str) else dtype)]))
    for one in dtypes:
        check_precision(runtime, one)
    if dtypes == ["fp32"]:
        raise UserError("`dtype` fp32 is what it is compared with; add `dtype` int8.")
    if calibration not in CALIBRATIONS:
        raise UserError(
            f"unknown `calibration` '{calibration}'{did_you_mean(calibration, CALIBRATIONS)}."
        )
    check_method(runtime, calibration)
    if calibration_images < 1:
        raise UserError(f"`calibration_images` is {calibration_images}; it has to be 1 or more.")
    folder = Path(out)
    asked: dict[str, Any] = {
        "command": "quantize",
        "model": model,
        "data": data,
        "dtypes": dtypes,
        "calibration": calibration,
        "calibration_images": calibration_images,
        "comparison": comparison,
    }
    fetched(model, download, weights=True)
    if is_foreign(str(model)):
        if checkpoint is not None:
            raise UserError("a foreign model brings its own weights; remove `checkpoint`.")
        _check_foreign(runtime, resolution, test_images)
        spec = open_model(str(model), shapes, batch)
        _check_batch(spec, batch)
        asked["shapes"] = {name: list(sizes) for name, sizes in (shapes or {}).items()}
        SavedRun(folder, asked, writes=False, fresh=None)
        comparison.check_free()
        with shown_progress(progress) as on_progress:
            result = quantize_foreign(
                spec,
                comparison,
                dtypes,
                folder,
                data=None if data is None else str(data),
                calibration=calibration,
                calibration_images=calibration_images,
                on_progress=on_progress,
                begin=lambda: SavedRun(folder, asked, fresh=None),
            )
        result.save(folder)
        return result
    if data is None:
        raise UserError("a trained model is tested on `data`; give the images it was trained for.")
    if shapes:
        raise UserError("`shapes` is for foreign models; remove it.")
    comparison.check_free()
    with trained_folder(model, checkpoint) as trained, shown_progress(progress) as on_progress:
        weights, images, norm = images_for_trained(trained, str(data), resolution, on_progress)
        asked |= {"checkpoint": checkpoint or "", "runtime": runtime, "resolution": resolution}
        SavedRun(folder, asked, fresh=None)  # one that was interrupted begins anew in its folder
        static = "int8-static" in dtypes
        ranges = calibration_inputs(images.train, norm, calibration_images) if static else ()
        files = {}
        for done, one in enumerate(dtypes):
            on_progress("converting", done, len(dtypes), one)
            files[one] = comparison.write(weights, one, folder, runtime, ranges, calibration)
            on_progress("converting", done + 1, len(dtypes), one)
        facts = comparison.measure(files, images, norm, on_progress)
    result = QuantizeResult(tuple(facts), runtime, folder, str(model))
    result.save(folder)
    return result


def _check_foreign(runtime: str, resolution: int | None, test_images: int | None) -> None:
    """Raise UserError for what means nothing of a foreign model."""
    if runtime != "onnxruntime":
        raise UserError(
            f"foreign models are quantized by onnxruntime, not by `runtime` {runtime}; take it "
            "away."
        )
    others = {"`resolution`": resolution, "`test_images`": test_images}
    if given := [name for name, value in others.items() if value is not None]:
        raise UserError(
            f"{' and '.join(given)} cannot be given for a foreign model: its input has its own "
            "size, and its accuracy is not measured; remove it."
        )


def _check_batch(spec: ForeignSpec, batch: int) -> None:
    if spec.batch != batch:
        raise UserError(
            f"{spec.name} takes {spec.batch} inputs at once, not {batch}; give `batch` {spec.batch}"
            ", or the model with another batch."
        )
