"""Kernels of a runtime: how it fuses, what of a plan it can run, and a kernel's artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ..backends import Backend, BackendOptions, BuildsFromOnnx, RunsKernels
from ..errors import UserError
from ..foreign.onnx_kernel import kernel_model
from ..foreign.open_model import GraphSource
from ..foreign.parts import parts_of
from ..foreign.plain_kernel import plain_kernel_model, why_not_plain
from ..foreign.rules import Rules
from ..models import Block, Spec
from ..models.families.foreign.spec import ForeignSpec
from ..notes import note
from .channels_per_block import channels_per_block
from .kernel_plan import kernels_of_models
from .plan import Plan, Point, is_kernel

EAGER = "eager"


def rules_of(backend: Backend, options: BackendOptions) -> Rules:
    """Return how a runtime fuses graphs; raises UserError where nobody knows."""
    if isinstance(backend, RunsKernels) and options.dtype == "fp32":
        return Rules(channels_per_block())
    if isinstance(backend, BuildsFromOnnx):
        return Rules(0, "graph")
    if options.provider == EAGER:
        return Rules(0, "eager")
    raise UserError(
        f"{backend.name} in {options.provider} runs no kernels by themselves: how it fuses a graph "
        "is not known; onnxruntime does, and torch with the provider eager."
    )


def kernel_artifact(backend: Backend, options: BackendOptions, kernels: Sequence[Block]) -> bytes:
    """Return the artifact of one kernel, repeated; raises UserError where it has none."""
    rules = rules_of(backend, options)
    if isinstance(backend, RunsKernels) and rules.fusion == "onnxruntime":
        return backend.run_as_it_is(kernel_model(kernels, rules.channels_per_block))
    if isinstance(backend, BuildsFromOnnx):
        return backend.build_from_onnx(plain_kernel_model(kernels), options)
    from ..foreign.torch_kernel import kernel_module

    module, shape = kernel_module(kernels)
    return backend.build(module, shape, options)


def plan_for_runtime(plan: Plan, backend: Backend, options: BackendOptions) -> Plan:
    """Return the plan with kernels that this runtime has, for one made with ONNX Runtime's.

    The foreign models are fused again by its rules. Without any the plan's kernels are kept that it
    can run, without what only ONNX Runtime fuses; a note says how many are left out.
    """
    if not any(point.is_kernel for point in plan.points):
        return plan
    rules = rules_of(backend, options)
    if rules.fusion == "onnxruntime":
        return plan
    models = {spec: _fused_anew(spec, rules) for spec in _foreign(plan)}
    kernels = [point.subject for point in plan.points if point.is_kernel]
    blocks = [one for one in kernels if isinstance(one, Block)]
    chosen = _plain(blocks, rules)
    if models:
        found = kernels_of_models(list(models.values()), max(len(blocks), 1))
        chosen = [block for block in found if is_kernel(block)]
        chosen = [block for block in chosen if _why_not(block, rules) is None]
    if not models:
        _note_left_out(backend, blocks, rules)
    others = [
        replace(point, subject=models.get(point.subject, point.subject))
        if isinstance(point.subject, ForeignSpec)
        else point
        for point in plan.points
        if not point.is_kernel
    ]
    standing = [
        models.get(spec, spec) if isinstance(spec, ForeignSpec) else spec
        for spec in plan.representatives
    ]
    points = [*(Point(block) for block in dict.fromkeys(chosen)), *others]
    return replace(plan, points=points, representatives=standing)


def _foreign(plan: Plan) -> list[ForeignSpec]:
    found: list[Spec] = [one.subject for one in plan.points if isinstance(one.subject, Spec)]
    found += plan.representatives
    specs = [one for one in dict.fromkeys(found) if isinstance(one, ForeignSpec)]
    return [one for one in specs if one.source is not None]


def _fused_anew(spec: ForeignSpec, rules: Rules) -> ForeignSpec:
    parts = parts_of(cast("GraphSource", spec.source).graph(), rules)
    counts: dict[Block, int] = {}
    for block in parts.blocks:
        counts[block] = counts.get(block, 0) + 1
    return replace(spec, parts=tuple(counts.items())) if counts else spec


def _plain(kernels: Sequence[Block], rules: Rules) -> list[Block]:
    """Return the kernels without ONNX Runtime's layout; without fused ones where nothing is."""
    found = [_without_fusing(block, rules) for block in kernels]
    return [block for block in dict.fromkeys(found) if _why_not(block, rules) is None]


def _without_fusing(block: Block, rules: Rules) -> Block:
    axes = ("blocked", "fused", "added") if rules.fusion == EAGER else ("blocked",)
    dims = dict(block.as_dict())
    return Block.of(block.op, **{**dims, **{axis: 1 for axis in axes if axis in dims}})


def _note_left_out(backend: Backend, kernels: Sequence[Block], rules: Rules) -> None:
    reasons = [_why_not(_without_fusing(block, rules), rules) for block in kernels]
    found = [reason for reason in reasons if reason is not None]
    if found:
        note(f"{len(found)} kernels that {backend.name} does not have are left out: {found[0]}.")


def _why_not(block: Block, rules: Rules) -> str | None:
    if rules.fusion != EAGER:
        return why_not_plain(block)
    from ..foreign.torch_kernel import why_not_torch

    return why_not_torch(block)
