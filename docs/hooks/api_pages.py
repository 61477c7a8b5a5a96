"""The pages of the Python API: which public name stands on which page."""

from __future__ import annotations

FOLDER = "reference/api"

# Page -> (introduction, identifiers). Names of `vitprof` itself come without a dot.
PAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Measure": (
        "What runs on a device.",
        (
            "devices",
            "doctor",
            "plan",
            "Plan",
            "measure",
            "build",
            "bench",
            "bench_attention",
            "breakdown",
            "ceilings",
            "waiting",
            "without_lock",
        ),
    ),
    "Ask a table": (
        "What a table answers.",
        (
            "predict",
            "Prediction",
            "compare",
            "compare_runtimes",
            "variants",
            "published_variants",
            "gate",
            "report",
            "validate",
            "calibrate",
            "transfer",
            "transfer_models",
        ),
    ),
    "Obey a table": (
        "What makes a model smaller, or finds one, under a table.",
        (
            "train",
            "evaluate",
            "prune",
            "prune_heads",
            "impact",
            "supernet",
            "search_models",
            "distill",
            "quantize",
            "choose",
            "choose_deployment",
            "pipeline",
        ),
    ),
    "Tables and models": (
        "The objects that commands and functions pass on.",
        (
            "LatencyTable",
            "push_table",
            "pull_tables",
            "schema",
            "Spec",
            "ViTSpec",
            "Block",
            "create_spec",
            "create_model",
            "Result",
            "schema",
        ),
    ),
    "Errors": (
        "What a wrong input raises.",
        ("UserError", "UnfinishedError", "DeviceBusyError"),
    ),
    "Extension points": (
        "What an entry point gives to vitprof. [Adding to vitprof](../../plugins.md) shows how.",
        (
            "check_plugin",
            "vitprof.plugins",
            "vitprof.models.families.family.Family",
            "vitprof.spaces.space.SearchSpace",
            "vitprof.backends.registry.BackendKind",
            "vitprof.backends.protocol",
            "vitprof.backends.devices.DeviceEntry",
            "vitprof.compress.methods",
            "vitprof.compress.run",
        ),
    ),
}


def api_pages() -> dict[str, str]:
    """Return the Markdown of every page, by its path in docs/."""
    overview = ["# Python API", "", "[From Python](../../python.md) is the introduction."]
    pages = {}
    for title, (introduction, names) in PAGES.items():
        path = _path(title)
        overview += ["", f"## {title}", "", introduction.replace("../../", "../../"), ""]
        overview += [f"- [`{_full(name)}`][{_full(name)}]" for name in names]
        blocks = [f"# {title}\n\n{introduction}\n"]
        blocks += [f"\n::: {_full(name)}\n" for name in names]
        pages[path] = "".join(blocks)
    pages[f"{FOLDER}/index.md"] = "\n".join(overview) + "\n"
    return pages


def api_nav() -> list[dict[str, object]]:
    """Return the navigation below "Python API"."""
    return [{"Overview": f"{FOLDER}/index.md"}, *({title: _path(title)} for title in PAGES)]


def _path(title: str) -> str:
    return f"{FOLDER}/{title.lower().replace(' ', '-')}.md"


def _full(name: str) -> str:
    return name if "." in name else f"vitprof.{name}"
