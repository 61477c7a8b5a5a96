"""The page as one file: data, scripts and style, under a policy that shuts all else out.

Nothing is loaded, and nothing that stands in the data can run. The browser executes scripts whose
hash the policy names and no other; the data are JSON in which no `<` is left; and the scripts put
every text into the page as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

# In this order: what comes later uses what came before.
SCRIPTS = (
    *(f"interpolation/{name}.js" for name in ("closed_form", "refusal", "points", "steps")),
    *(f"interpolation/{name}.js" for name in ("grid", "ragged", "op_grids", "calibration")),
    *(f"interpolation/{name}.js" for name in ("whole_layers", "table")),
    *(f"families/{name}.js" for name in ("family", "layers", "vit", "bert", "swin", "vgg")),
    *(f"families/{name}.js" for name in ("efficientvit", "autovit")),
    *(f"page/{name}.js" for name in ("elements", "numbers", "models", "theme", "chart")),
    *(f"page/{name}.js" for name in ("trust", "calculator", "where", "macs", "blocks")),
    *(f"page/{name}.js" for name in ("roofline", "runs", "main")),
)
LIBRARY = "vendor/uPlot.iife.min.js"
LICENCE = "vendor/uPlot-LICENSE.txt"
STYLES = ("vendor/uPlot.min.css", "page/style.css")


def page(record: Mapping[str, Any]) -> str:
    """Return the HTML of a record (`verbs/report.py`)."""
    library = f"/*!\n{_asset(LICENCE)}*/\n{_asset(LIBRARY)}"
    script = _wrapped("\n".join(_asset(name) for name in SCRIPTS))
    style = "\n".join(_asset(name) for name in STYLES)
    scripts = " ".join(f"'sha256-{_hash(text)}'" for text in (library, script))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'sha256-{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>vitprof report</title>
<style>{style}</style>
</head>
<body>
<main id="page"><noscript>This page computes in the browser; allow its scripts.</noscript></main>
<script type="application/json" id="data">{as_data(record)}</script>
<script>{library}</script>
<script>{script}</script>
</body>
</html>
"""


def as_data(record: Mapping[str, Any]) -> str:
    """Return JSON that stands in a script element: neither a tag nor a comment can begin in it."""
    text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _wrapped(script: str) -> str:
    return f'"use strict";\n(() => {{\n{script}\n}})();\n'


def _asset(name: str) -> str:
    return files(__package__).joinpath("web-assets", *name.split("/")).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
