"""A repository of data sets at Hugging Face as a folder of shared tables.

Everything goes through `huggingface_hub` (`pip install 'vitprof[hub]'`), with its token and its
HF_ENDPOINT; nothing is ever executed or unpickled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...errors import UserError
from .folder import INDEX, LARGEST_TABLE, MOST_TABLES, PLACE
from .plain_text import printable

if TYPE_CHECKING:
    from huggingface_hub import HfApi

R = TypeVar("R")
PREFIX = "hf:"
KIND = "dataset"
LARGEST_REPOSITORY = 512 * 1024 * 1024
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_ID = re.compile(rf"{_PART}/{_PART}")
_TABLE = re.compile(rf"{PLACE}/[a-z0-9][a-z0-9._-]{{0,99}}\.csv")
# What is written beside the tables, and is compared before it is written again.
_BESIDE = re.compile(rf"{INDEX}|{PLACE}/[a-z0-9][a-z0-9._-]{{0,99}}\.md")


class HubRepository:
    """ORG/NAME at the hub; `revision` is the commit that `fetch` read."""

    def __init__(self, name: str) -> None:
        if not _ID.fullmatch(name) or ".." in name:
            raise UserError(
                f"'{PREFIX}{printable(name)}' names no repository; write {PREFIX}ORG/NAME."
            )
        self.name = name
        self.revision: str | None = None
        self._endpoint = os.environ.get("HF_ENDPOINT")

    def fetch(self, folder: Path, cards: bool = False) -> None:
        """Download the tables into an empty folder, sizes and names checked first.

        cards: their cards and the index too. Raises UserError where the repository cannot be read,
        and for one that is too large.
        """
        api = self._api()
        about = self._asked(lambda: api.repo_info(self.name, repo_type=KIND))
        self.revision = about.sha
        listed = self._asked(
            lambda: list(
                api.list_repo_tree(
                    self.name, repo_type=KIND, recursive=True, revision=self.revision
                )
            )
        )
        sizes = {one.path: one.size for one in listed if hasattr(one, "size")}
        wanted = {
            path: size
            for path, size in sizes.items()
            if _TABLE.fullmatch(path) or (cards and _BESIDE.fullmatch(path))
        }
        self._check_sizes(wanted)
        for path in wanted:
            self._asked(lambda path=path: self._download(path, folder))  # type: ignore[misc]

    def commit(self, folder: Path, files: Sequence[str], message: str) -> str:
        """Upload files of a folder in one commit on the revision that was read; return its address.

        Raises UserError where the hub refuses it, as where another commit came in between.
        """
        from huggingface_hub import CommitOperationAdd

        api = self._api()
        added = [CommitOperationAdd(name, (folder / name).read_bytes()) for name in files]
        made = self._asked(
            lambda: api.create_commit(
                self.name,
                added,
                commit_message=message,
                repo_type=KIND,
                parent_commit=self.revision,
            )
        )
        return str(made.commit_url)

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self._endpoint)

    def _download(self, path: str, folder: Path) -> str:
        from huggingface_hub import hf_hub_download

        return str(
            hf_hub_download(
                self.name,
                path,
                repo_type=KIND,
                revision=self.revision,
                local_dir=folder,
                endpoint=self._endpoint,
            )
        )

    def _check_sizes(self, sizes: dict[str, int]) -> None:
        if len(sizes) > 2 * MOST_TABLES or sum(sizes.values()) > LARGEST_REPOSITORY:
            raise UserError(
                f"{PREFIX}{self.name} has {len(sizes)} files of "
                f"{sum(sizes.values()) >> 20} MiB; at most {2 * MOST_TABLES} of "
                f"{LARGEST_REPOSITORY >> 20} MiB are downloaded."
            )
        for path, size in sizes.items():
            if size > LARGEST_TABLE:
                raise UserError(
                    f"{PREFIX}{self.name}/{path} is larger than {LARGEST_TABLE >> 20} MiB; nothing "
                    "is downloaded."
                )

    def _asked(self, question: Callable[[], R]) -> R:
        """Return the hub's answer; UserError in one sentence where it refuses or is not there."""
        try:
            return question()
        except Exception as error:  # of the network, the hub, the token or the disk
            reason = printable((str(error).strip().splitlines() or [type(error).__name__])[0], 200)
            raise UserError(
                f"{PREFIX}{self.name} cannot be used ({reason.rstrip('.')}); check the name, "
                "that the data set exists, the network, and the token (hf auth login)."
            ) from None
