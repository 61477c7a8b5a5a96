"""The documentation as a site: its navigation, its generated pages, and links that work on GitHub.

`make docs` builds it with warnings as errors, in CI; here is what needs no MkDocs.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import vitprof
import yaml
from vitprof.cli.command_list import COMMANDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
MARKDOWN = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"]
MARKDOWN += [f"docs/{page}" for page in PAGES]


def _hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "hooks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _paths(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for below in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _paths(below)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = [path for path in _paths(CONFIG["nav"]) if path.endswith(".md")]
    assert sorted(listed) == PAGES


def test_every_command_has_a_page_with_its_help_and_a_place_in_the_navigation() -> None:
    hook = _hook("command_pages")
    pages, listed = hook.command_pages(), set(_paths(hook.command_nav()))
    for name in COMMANDS:
        path = f"reference/commands/{name}.md"
        assert path in listed
        assert f"Usage: vitprof {name}" in pages[path]
    assert listed == set(pages)
    assert "Usage: vitprof table info" in pages["reference/commands/table.md"]


def test_every_public_name_is_on_a_page_of_the_api() -> None:
    pages = _hook("api_pages").api_pages()
    shown = re.findall(r"^::: vitprof\.(\w+)$", "\n".join(pages.values()), re.MULTILINE)
    assert sorted(set(shown)) == sorted({*vitprof.__all__, "plugins"} - {"__version__"})


def test_the_navigation_has_a_place_for_what_is_generated() -> None:
    assert {"COMMANDS", "API"} <= set(_paths(CONFIG["nav"]))


def test_reading_the_site_needs_no_network() -> None:
    assert CONFIG["theme"]["font"] is False
    assert not {"extra_javascript", "extra_css"} & set(CONFIG)
    scripts = CONFIG["extra"]["polyfills"]
    assert scripts and all((DOCS / script).is_file() for script in scripts)


@pytest.mark.parametrize("file", MARKDOWN)
def test_relative_links_lead_somewhere(file: str) -> None:
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", (ROOT / file).read_text(), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s#:]+)(?:#[^)\s]*)?\)", text)
    missing = [link for link in links if not (ROOT / file).parent.joinpath(link).exists()]
    assert missing == []


def test_links_out_of_docs_become_pages() -> None:
    links = _hook("repository_links")
    text = (
        "[a](../CONTRIBUTING.md#rules), [b](words.md), [c](../benchmarks/foreign.py), `](../x.md)`"
    )
    assert links.with_site_links(text, "docs/asking.md", "asking.md") == (
        "[a](repository/CONTRIBUTING.md#rules), [b](words.md), "
        "[c](repository/benchmarks/foreign.py.md), `](../x.md)`"
    )
    made = links.repository_pages({"docs/asking.md": text})
    assert "repository/benchmarks/foreign.py.md" in made
    assert "](../plugins.md)" in made["repository/CONTRIBUTING.md"]


def test_links_out_of_the_repository_stay_for_mkdocs_to_refuse() -> None:
    links = _hook("repository_links")
    text = "[a](../../../etc/passwd), [b](../no-such-file.md), [c](../.git/config)"
    assert links.with_site_links(text, "docs/asking.md", "asking.md") == text
    assert links.repository_pages({"docs/asking.md": text}) == {}
