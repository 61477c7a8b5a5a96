"""A model of OpenVINO in 8-bit integers, by NNCF's post-training quantization.

Matrix products and convolutions become int8. The ranges of what flows are learned once, from
calibration inputs; the weights have a scale a channel.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..machine.cpu_info import has_int8_products
from ..no_logging import no_logging
from ..protocol import BackendError
from .signal_stack import kept_signal_stack

if TYPE_CHECKING:
    import numpy as np


def static_int8(model: Any, inputs: Sequence[np.ndarray]) -> Any:
    """Return an `openvino.Model` with int8 products and convolutions, ranges learned from `inputs`.

    inputs: arrays of the model's input shape. NNCF's own defaults for transformers: SmoothQuant,
    then minimum and maximum, then the biases are corrected. Raises UserError without NNCF,
    BackendError with its words where it cannot quantize.
    """
    nncf = import_nncf()
    from openvino import passes

    try:
        # Weights that a node transposes are not taken for weights, and would stay in fp32.
        folding = passes.Manager()
        folding.register_pass(passes.ConstantFolding())
        folding.run_passes(model)
        with _quiet(), kept_signal_stack():
            return nncf.quantize(
                model,
                nncf.Dataset(list(inputs)),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(inputs),
                ignored_scope=nncf.IgnoredScope(names=products_added_to(model)),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    overflow_fix=_overflow_fix()
                ),
            )
    except Exception as error:  # NNCF may raise anything
        raise BackendError.because("quantizing to int8", error) from error


def _overflow_fix() -> Any:
    """Return how weights are kept from overflowing sums: 7 bits where this CPU adds in 16.

    NNCF's default covers the first layer alone, and the answers of a small ViT were off by 26 to
    75 % on a processor without VNNI; with 7 bits in all layers by 2 to 4 %.
    """
    from nncf import OverflowFix

    return OverflowFix.FIRST_LAYER if has_int8_products() else OverflowFix.ENABLE


def products_added_to(model: Any) -> list[str]:
    """Return the names of attention's products of queries and keys to which a result is added.

    They stay in fp32. What is added are the logarithms of merged tokens' sizes. With that product
    in int8 OpenVINO 2026.4 answers something else: a ViT of CIFAR-10 that merges tokens had 22 %
    top-1 in place of 70 %, and with only that product left out its answers agree with fp32's. A
    product that goes into the softmax as it is does no harm, nor does a constant, a window's bias.
    """
    return [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() == "MatMul" and any(map(_is_sum_for_softmax, _consumers(node)))
    ]


def _is_sum_for_softmax(node: Any) -> bool:
    """Whether a node adds two results, and their sum goes into a softmax."""
    return (
        node.get_type_name() == "Add"
        and all(one.get_node().get_type_name() != "Constant" for one in node.input_values())
        and any(after.get_type_name() == "Softmax" for after in _consumers(node))
    )


def _consumers(node: Any) -> list[Any]:
    return [target.get_node() for out in node.outputs() for target in out.get_target_inputs()]


def why_no_nncf() -> str | None:
    """Return None where NNCF is installed, otherwise one sentence; imports nothing."""
    from ..installed import installed

    if installed("nncf") is not None:
        return None
    return "int8 in OpenVINO needs NNCF, which is not installed: pip install 'vitprof[openvino]'."


def import_nncf() -> Any:
    """Return `nncf`; raises UserError where it is not installed."""
    if reason := why_no_nncf():
        raise UserError(reason)
    # With this it reports to nobody what it is used for.
    os.environ.setdefault("NNCF_CI", "1")
    with warnings.catch_warnings(), no_logging():
        warnings.simplefilter("ignore")
        import nncf
    return nncf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's log, warnings and progress bars off the screen."""
    with (
        warnings.catch_warnings(),
        no_logging(),
        open(os.devnull, "w") as nowhere,  # noqa: PTH123 - os.devnull is not a path of ours
        contextlib.redirect_stdout(nowhere),
    ):
        warnings.simplefilter("ignore")
        yield
