"""The file: its policy, and that nothing in its data can leave their element."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
import vitprof
from vitprof.tables import LatencyTable
from vitprof.verbs.report_page.page import SCRIPTS, as_data, page

ROOT = Path(vitprof.__file__).parent


def test_data_cannot_begin_a_tag_or_a_comment() -> None:
    hostile = {"</script><!--": ["<script>", "]]>", "&lt;", "\u2028", "\x1b[31m"]}
    text = as_data(hostile)
    assert not set(text) & set("<>&\u2028\x1b")
    assert json.loads(text) == hostile


def test_a_number_that_json_lacks_is_refused_and_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_data({"ms": float("nan")})


def test_the_policy_names_the_scripts_and_the_style_and_nothing_else(
    vit_page_table: LatencyTable,
) -> None:
    html = vitprof.report(vit_page_table).html
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert (len(scripts), len(styles)) == (2, 1)
    for text in (*scripts, *styles):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_page_has_no_way_to_run_or_parse_a_text() -> None:
    assets = ROOT / "verbs" / "report_page" / "web-assets"
    own = [path for path in assets.rglob("*.js") if path.parent.name != "vendor"]
    assert {str(path.relative_to(assets)) for path in own} == set(SCRIPTS)
    for path in own:
        text = path.read_text()
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "fetch(",
        ):
            assert way not in text, f"{path.name}: {way}"


def test_the_library_stands_in_the_page_with_its_licence(vit_page_table: LatencyTable) -> None:
    html = vitprof.report(vit_page_table).html
    assert "The MIT License" in html
    assert "Leon Sorokin" in html


def test_a_page_is_small(vit_page_table: LatencyTable) -> None:
    made = vitprof.report(vit_page_table)
    assert made.size_bytes < 2_000_000
    assert made.size_bytes == len(page(made.record).encode())
