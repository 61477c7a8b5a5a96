"""From an ONNX model to a serialized TensorRT engine for a GPU that need not be here."""

from __future__ import annotations

from typing import Any

from ..protocol import BackendError, BackendOptions
from .artifact import EngineFile
from .library import TensorRtLibrary
from .sparsity import choices_in_log


def engine_from_onnx(
    model: bytes,
    library: TensorRtLibrary,
    compute_capability: str | None,
    options: BackendOptions,
) -> EngineFile:
    """Return the engine that computes `model` on a GPU of `compute_capability` ("7.5").

    The network is strongly typed: every precision is the graph's. With `options.sparsity` "2:4"
    the builder may take sparse kernels for weights that are 2:4; it prunes none. Raises
    BackendError with the parser's or the builder's own words, UserError for a GPU that the
    library builds no engines for.
    """
    library.check_target(compute_capability)
    library.logger.forget()
    trt = library.trt
    try:
        builder = trt.Builder(library.logger)
    except TypeError as error:  # how a factory that returns nothing shows in Python
        raise _failed("starting the builder", library) from error
    network = builder.create_network(_strongly_typed(trt))
    parser = trt.OnnxParser(network, library.logger)
    if not parser.parse(model):
        errors = (" ".join(str(parser.get_error(n)).split()) for n in range(parser.num_errors))
        raise BackendError(f"parsing the ONNX model failed: {'; '.join(errors)}")
    config = builder.create_builder_config()
    # The inspector of a loaded engine tells a layer's kernels only where this was asked for.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.sparsity == "2:4":
        config.set_flag(trt.BuilderFlag.SPARSE_WEIGHTS)
    # Whether or not it will be recorded, so that both modes measure one engine.
    library.make_capturable(config)
    if (reason := library.aim(config, compute_capability)) is not None:
        raise BackendError(f"building the TensorRT engine failed: {reason}")
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise _failed("building the TensorRT engine", library)
    return EngineFile(
        bytes(engine),
        library.provider,
        library.version,
        compute_capability,
        options.dtype,
        options.sparsity,
        choices_in_log(library.logger.notes),
    )


def _strongly_typed(trt: Any) -> int:
    """Return the flags of such a network; a library that has no other kind has no flag for it."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _failed(doing: str, library: TensorRtLibrary) -> BackendError:
    return BackendError(f"{doing} failed: {library.logger.words()}")
