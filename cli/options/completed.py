"""What a shell completes for --model and places of models: known names, and files."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def complete_model(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the known names that begin so; where none does, files."""
    from ...models.names import spec_names
    from ...models.timm_names import timm_names

    names = [name for name in spec_names() if name.startswith(incomplete)]
    if not names and incomplete:
        names = [name for name in timm_names() if name.startswith(incomplete)]
    if names:
        return [CompletionItem(name) for name in names]
    return [CompletionItem(incomplete, type="file")]
