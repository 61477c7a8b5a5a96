"""The files that deployments are, each written once by the Python that has its runtime."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic_write import made_folder, replacing
from ...closing import Closing
from ...profiler.deployed.deployed import Deployed
from ...profiler.deployed.worker import fields_of
from ...profiler.runtimes.child import Child
from ...progress import OnProgress, no_progress
from ...search.deployment_space.deployment import Deployment, Variant, Way

if TYPE_CHECKING:
    from ...training.data.images import Dataset, Images, Normalisation
    from .sources import MadeVariant

WORKER = "vitprof.profiler.deployed.worker"
# What the reference is: two layers of a ViT of this width on so many patches, some milliseconds.
REFERENCE_WIDTH, REFERENCE_RESOLUTION, REFERENCE_PATCH = 192, 32, 4
CALIBRATION_IMAGES = 256


@dataclass
class Workers(Closing):
    """A process for each runtime and purpose, in the Python that has the runtime."""

    pythons: Mapping[str, str]
    _stack: ExitStack = field(default_factory=ExitStack)
    _found: dict[tuple[str, str], Child] = field(default_factory=dict)

    def python_of(self, runtime: str) -> str:
        return self.pythons.get(runtime, sys.executable)

    def of(self, purpose: str, runtime: str) -> Child:
        """Return the process; what builds serves all runtimes of its Python."""
        python = self.python_of(runtime)
        key = (purpose, python if purpose == "build" else runtime)
        if key not in self._found:
            self._found[key] = self._stack.enter_context(Child(python, WORKER))
        return self._found[key]

    def close(self) -> None:
        self._stack.close()
        self._found.clear()


@dataclass
class DeploymentFiles:
    """Writes and tests what is deployed.

    variants: where each is; data_at: the images at a resolution; folder: where files go.
    """

    variants: Mapping[Variant, MadeVariant]
    data_at: Callable[[int | None], Dataset]
    folder: Path
    workers: Workers
    on_progress: OnProgress = no_progress
    _written: dict[tuple[Variant, Way], Deployed] = field(default_factory=dict)
    _reference: Deployed | None = None

    def of(self, deployment: Deployment) -> Deployed:
        """Return the deployed file, written where this run did not yet; threads do not matter."""
        way = deployment.way
        key = deployment.variant, replace(way, threads=1)
        if key not in self._written:
            self._written[key] = self._write(*key)
        return replace(self._written[key], threads=way.threads)

    def _write(self, variant: Variant, way: Way) -> Deployed:
        made = self.variants[variant]
        static = way.dtype == "int8-static"
        ranges = self._ranges(made.norm, variant.resolution) if static else None
        place = self.folder / made.digest[:16] / f"{way.runtime}-{way.batch}"
        return self._built(made.folder, way, place, ranges)

    def _built(self, folder: Path, way: Way, place: Path, ranges: Path | None) -> Deployed:
        reply = self.workers.of("build", way.runtime).ask(
            "write",
            folder=str(folder.absolute()),
            runtime=way.runtime,
            precision=way.dtype,
            out=str(place.absolute()),
            batch=way.batch,
            ranges=ranges and str(ranges),
        )
        return Deployed(folder.absolute(), way.runtime, way.dtype, Path(reply["path"]), way.batch)

    def _ranges(self, norm: Normalisation, resolution: int) -> Path:
        import numpy as np

        from ...training.inputs import calibration_inputs

        path = (self.folder / f"ranges-{resolution}-{_digest(norm)}.npy").absolute()
        if not path.is_file():
            images = self.data_at(resolution or None).train
            made_folder(path.parent)
            with replacing(path) as file:
                np.save(file, calibration_inputs(images, norm, CALIBRATION_IMAGES))
        return path

    def tested(self, file: Deployed, images: Images, norm: Normalisation) -> dict[int, float]:
        """Return how often the file is right on the images, by k."""
        path = self._images_file(images, norm)
        self.on_progress("testing", 0, 1, file.path.name)
        reply = self.workers.of("build", file.runtime).ask(
            "test", file=fields_of(file), images=str(path)
        )
        self.on_progress("testing", 1, 1, file.path.name)
        return shares(reply["images"], {int(k): n for k, n in reply["correct"].items()})

    def _images_file(self, images: Images, norm: Normalisation) -> Path:
        import numpy as np

        from ...training.data.held_out import digest

        name = f"images-{digest(images)[:16]}-{_digest(norm)}.npz"
        path = (self.folder / name).absolute()
        if not path.is_file():
            made_folder(path.parent)
            fields: dict[str, Any] = {
                "pixels": images.array(),
                "labels": images.labels,
                "classes": len(images.classes),
                "mean": np.array(norm.mean),
                "std": np.array(norm.std),
            }
            with replacing(path) as file:
                np.savez(file, **fields)
        return path

    def reference(self) -> Deployed:
        """Return the reference: an untrained model of a fixed size, in fp32 by ONNX Runtime."""
        if self._reference is None:
            import torch

            from ...models import ViTSpec, create_model
            from ...training.model_folder import write_model

            spec = ViTSpec.uniform(
                REFERENCE_WIDTH,
                2,
                3,
                mlp=4 * REFERENCE_WIDTH,
                resolution=REFERENCE_RESOLUTION,
                patch=REFERENCE_PATCH,
                classes=10,
            )
            folder = self.folder / "reference"
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                write_model(create_model(spec), folder, None)
            self._reference = self._built(folder, Way("onnxruntime"), folder, None)
        return self._reference


def shares(images: int, correct: Mapping[int, int]) -> dict[int, float]:
    """Return which share of so many images is right, by k."""
    return {k: count / images for k, count in correct.items()}


def _digest(norm: Normalisation) -> str:
    return hashlib.sha256(repr((norm.mean, norm.std)).encode()).hexdigest()[:8]
