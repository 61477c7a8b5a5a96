"""Links of pages to files outside docs/: the file becomes a page of the site, below repository/.

So a link such as `../CONTRIBUTING.md` or `../benchmarks/foreign.py` works on the site as it does on
GitHub, and a link to a file that is not there is left as it is, for MkDocs to refuse.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "repository"
# A fenced block, a code span, or a link's target with its anchor.
_PARTS = re.compile(
    r"^(?P<fence>`{3,}).*?^(?P=fence)|(?P<tick>`+)[^`\n]*(?P=tick)"
    r"|\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)",
    re.DOTALL | re.MULTILINE,
)
_LEXERS = {".py": "python", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml", ".json": "json"}


def with_site_links(markdown: str, origin: str, page: str) -> str:
    """Point the links of a file of the repository to pages of the site.

    Args:
        origin: Where the Markdown stands in the repository: "docs/asking.md".
        page: Where its page stands in the site's sources: "asking.md".
    """

    def replaced(found: re.Match[str]) -> str:
        target = found["target"]
        source = target and _page_of(_in_repository(origin, target))
        if not source:
            return found[0]
        return (
            f"]({posixpath.relpath(source, posixpath.dirname(page) or '.')}{found['anchor'] or ''})"
        )

    return _PARTS.sub(replaced, markdown)


def linked_files(markdown: str, origin: str) -> Iterator[str]:
    """Yield the files outside docs/ that a Markdown file links to, as paths in the repository."""
    for found in _PARTS.finditer(markdown):
        if found["target"]:
            path = _in_repository(origin, found["target"])
            if path and not path.startswith("docs/"):
                yield path


def repository_pages(pages: dict[str, str]) -> dict[str, str]:
    """Return a page for each file that the given ones link to, and for those that these link to.

    Args:
        pages: Markdown by its path in the repository.

    Returns:
        Markdown by its path in the site's sources.
    """
    made: dict[str, str] = {}
    waiting = [path for origin, text in pages.items() for path in linked_files(text, origin)]
    while waiting:
        path = waiting.pop()
        page = _page_of(path)
        if page is None or page in made:
            continue
        text = _as_markdown(path)
        made[page] = with_site_links(text, path, page)
        if path.endswith(".md"):
            waiting += linked_files(text, path)
    return made


def _in_repository(origin: str, target: str) -> str | None:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
    inside = not path.startswith(("..", "/", ".git/")) and (ROOT / path).exists()
    return path if inside else None


def _page_of(path: str | None) -> str | None:
    if path is None:
        return None
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{FOLDER}/{path}" if path.endswith(".md") else f"{FOLDER}/{path}.md"


def _as_markdown(path: str) -> str:
    file = ROOT / path
    if path.endswith(".md"):
        return file.read_text()
    if file.is_dir():
        inside = sorted(
            str(each.relative_to(file))
            for each in file.rglob("*")
            if each.is_file() and "__pycache__" not in each.parts
        )
        return f"# {path}/\n\n" + "".join(f"- `{each}`\n" for each in inside)
    fence = "`" * 6
    return f"# {path}\n\n{fence}{_LEXERS.get(file.suffix, 'text')}\n{file.read_text()}\n{fence}\n"
