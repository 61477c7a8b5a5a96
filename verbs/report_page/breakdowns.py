"""What `vitprof breakdown --nodes --json` printed, as the page shows it: blocks and their nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.json_object import read_json_object
from .from_json import number_in, objects_in, text_in

MOST_MODELS, MOST_BLOCKS, MOST_NODES = 16, 2_000, 5_000


def breakdown_records(path: Path) -> list[dict[str, Any]]:
    """Return the models of a breakdown as JSON values; raises UserError for another file."""
    record, source = read_json_object(path)
    models = objects_in(record, "models", MOST_MODELS)
    if not models or not all(isinstance(one.get("nodes"), list) for one in models):
        raise UserError(
            f"{source} is not a breakdown; `breakdowns` are what vitprof breakdown --nodes --json "
            "printed."
        )
    return [_record(one) for one in models]


def _record(model: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": text_in(model, "model"),
        "ms": number_in(model, "latency_ms"),
        "blocks": [
            {
                "name": text_in(block, "block"),
                "op": text_in(block, "op"),
                "ms": number_in(block, "ms") or 0.0,
            }
            for block in objects_in(model, "blocks", MOST_BLOCKS)
        ],
        "nodes": [
            {
                "name": text_in(node, "name"),
                "op": text_in(node, "op"),
                "kind": text_in(node, "class"),
                "block": text_in(node, "block"),
                "module": text_in(node, "module"),
                "ms": number_in(node, "ms") or 0.0,
            }
            for node in objects_in(model, "nodes", MOST_NODES)
        ],
    }
