"""vitprof: what each block of a Vision Transformer costs on your device.

`import vitprof` is instant: torch and the runtimes are imported by the functions that need them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .no_telemetry import switch_off_telemetry

switch_off_telemetry()

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .errors import DeviceBusyError, UnfinishedError, UserError
    from .models import Block, Spec, ViTSpec, create_model, create_spec
    from .profiler.plan import Plan
    from .results import Result
    from .tables import Prediction
    from .verbs.bench import bench
    from .verbs.bench_attention import bench_attention
    from .verbs.breakdown import breakdown
    from .verbs.build import build
    from .verbs.calibrate import calibrate
    from .verbs.ceilings import ceilings
    from .verbs.check_plugin import check_plugin
    from .verbs.choose import choose
    from .verbs.choose_deployment import choose_deployment
    from .verbs.compare import compare
    from .verbs.compare_runtimes import compare_runtimes
    from .verbs.devices import devices
    from .verbs.distill import distill
    from .verbs.doctor import doctor
    from .verbs.evaluate import evaluate
    from .verbs.gate import gate
    from .verbs.impact import impact
    from .verbs.latency_table import LatencyTable
    from .verbs.measure import measure
    from .verbs.pipeline import pipeline
    from .verbs.plan import plan
    from .verbs.predict import predict
    from .verbs.prune import prune
    from .verbs.prune_heads import prune_heads
    from .verbs.published_variants import published_variants
    from .verbs.quantize import quantize
    from .verbs.report import report
    from .verbs.schema import schema
    from .verbs.search_models import search_models
    from .verbs.share_tables import pull_tables, push_table
    from .verbs.supernet import supernet
    from .verbs.train import train
    from .verbs.transfer import transfer
    from .verbs.transfer_models import transfer_models
    from .verbs.validate import validate
    from .verbs.variants import variants
    from .verbs.waiting import waiting, without_lock

# Where each public name lives; imported when it is first asked for.
_HOMES = {
    "Block": ".models",
    "DeviceBusyError": ".errors",
    "LatencyTable": ".verbs.latency_table",
    "Plan": ".profiler.plan",
    "Prediction": ".tables",
    "Result": ".results",
    "Spec": ".models",
    "UnfinishedError": ".errors",
    "UserError": ".errors",
    "ViTSpec": ".models",
    "bench": ".verbs.bench",
    "bench_attention": ".verbs.bench_attention",
    "breakdown": ".verbs.breakdown",
    "build": ".verbs.build",
    "calibrate": ".verbs.calibrate",
    "ceilings": ".verbs.ceilings",
    "check_plugin": ".verbs.check_plugin",
    "choose": ".verbs.choose",
    "choose_deployment": ".verbs.choose_deployment",
    "compare": ".verbs.compare",
    "compare_runtimes": ".verbs.compare_runtimes",
    "create_model": ".models",
    "create_spec": ".models",
    "devices": ".verbs.devices",
    "distill": ".verbs.distill",
    "doctor": ".verbs.doctor",
    "evaluate": ".verbs.evaluate",
    "gate": ".verbs.gate",
    "impact": ".verbs.impact",
    "measure": ".verbs.measure",
    "pipeline": ".verbs.pipeline",
    "plan": ".verbs.plan",
    "predict": ".verbs.predict",
    "prune": ".verbs.prune",
    "prune_heads": ".verbs.prune_heads",
    "published_variants": ".verbs.published_variants",
    "pull_tables": ".verbs.share_tables",
    "push_table": ".verbs.share_tables",
    "quantize": ".verbs.quantize",
    "report": ".verbs.report",
    "schema": ".verbs.schema",
    "search_models": ".verbs.search_models",
    "supernet": ".verbs.supernet",
    "train": ".verbs.train",
    "transfer": ".verbs.transfer",
    "transfer_models": ".verbs.transfer_models",
    "validate": ".verbs.validate",
    "variants": ".verbs.variants",
    "waiting": ".verbs.waiting",
    "without_lock": ".verbs.waiting",
}

__all__ = [
    "Block",
    "DeviceBusyError",
    "LatencyTable",
    "Plan",
    "Prediction",
    "Result",
    "Spec",
    "UnfinishedError",
    "UserError",
    "ViTSpec",
    "__version__",
    "bench",
    "bench_attention",
    "breakdown",
    "build",
    "calibrate",
    "ceilings",
    "check_plugin",
    "choose",
    "choose_deployment",
    "compare",
    "compare_runtimes",
    "create_model",
    "create_spec",
    "devices",
    "distill",
    "doctor",
    "evaluate",
    "gate",
    "impact",
    "measure",
    "pipeline",
    "plan",
    "predict",
    "prune",
    "prune_heads",
    "published_variants",
    "pull_tables",
    "push_table",
    "quantize",
    "report",
    "schema",
    "search_models",
    "supernet",
    "train",
    "transfer",
    "transfer_models",
    "validate",
    "variants",
    "waiting",
    "without_lock",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vitprof' has no attribute '{name}'")
    found = getattr(importlib.import_module(_HOMES[name], __name__), name)
    if not isinstance(found, type):  # a function: where it lacks a library, it says which extra
        from .extras import naming_extras

        found = naming_extras(found)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
