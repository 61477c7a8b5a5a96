"""What MkDocs calls while it builds the site: generated pages, links, and the API's sources."""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from api_pages import api_nav, api_pages
from command_pages import command_nav, command_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from repository_links import ROOT, repository_pages, with_site_links

# Entries of the navigation in mkdocs.yml that the hooks fill.
GENERATED = {"COMMANDS": command_nav, "API": api_nav}
_sources: list[Path] = []


@event_priority(100)  # before mkdocstrings reads where the sources are
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation, make anchors as GitHub does, and lay out the package's sources."""
    config.nav = _filled(config.nav)
    config.mdx_configs.setdefault("toc", {})["slugify"] = _slug
    handlers = config.plugins["mkdocstrings"].config.handlers
    handlers["python"]["paths"] = [str(_package_sources())]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of commands, of the API, and of linked files of the repository."""
    written = {f"docs/{each.src_uri}": each.content_string for each in files.documentation_pages()}
    for path, text in {**command_pages(), **api_pages(), **repository_pages(written)}.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files outside docs/ lead to their pages, and searches to the guides first."""
    if page.file.src_uri.startswith(("results/", "repository/")):
        page.meta.setdefault("search", {"boost": 0.2})
    if page.file.generated_by is not None:
        return markdown
    return with_site_links(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def on_shutdown() -> None:
    """Remove the copied sources."""
    while _sources:
        shutil.rmtree(_sources.pop(), ignore_errors=True)


def _slug(text: str, separator: str) -> str:
    """Make an anchor as GitHub does: each space a hyphen, letters of any script kept."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


def _filled(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_filled(each) for each in nav]
    if isinstance(nav, dict):
        return {title: _filled(below) for title, below in nav.items()}
    return GENERATED[nav]() if nav in GENERATED else nav


def _package_sources() -> Path:
    """Copy the package's modules to a folder of the package's name.

    The checkout is the package: whoever looks for modules in it would read tests, benchmarks and
    environments too.
    """
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "packages"
    ]
    folder = Path(tempfile.mkdtemp(prefix="vitprof-docs-"))
    _sources.append(folder)
    for package in packages:
        inside = package.split(".")[1:]
        target = folder.joinpath("vitprof", *inside)
        target.mkdir(parents=True, exist_ok=True)
        for module in ROOT.joinpath(*inside).glob("*.py"):
            shutil.copyfile(module, target / module.name)
    return folder
