"""From texts to numbers of words, by the tokenizer that lies in a model's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_write import write_atomically
from ...errors import MissingExtraError, UserError
from ...models.checks import shown
from ...models.json_object import read_json_object
from ...progress import OnProgress, no_progress

TOKENIZER, VOCAB, SETTINGS = "tokenizer.json", "vocab.txt", "tokenizer_config.json"
# Ours: the model's names of its classes, which Hugging Face keeps in config.json.
LABELS = "labels.json"
# BERT's own has 0.7 MB, that of a vocabulary of a million words under 100 MB.
MOST_FILE_BYTES = 256 * 2**20
SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]")
AT_ONCE = 1024


@dataclass(frozen=True)
class TextEncoder:
    """A tokenizer, and the names of classes.

    labels: numbers by name in lower case; files: what was read, by the name that each is to be
    written under beside another model.
    """

    tokenizer: Any
    labels: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def beside(cls, folder: Path) -> TextEncoder:
        """Return what a model's folder holds: tokenizer.json, or vocab.txt and its settings.

        Raises UserError where there is neither, where one is damaged or too large, and where the
        package tokenizers is not installed.
        """
        try:
            import tokenizers
        except ImportError:
            raise MissingExtraError(
                "text", "texts need the package tokenizers, which is not installed:"
            ) from None
        names = _label_names(folder)
        files: dict[str, bytes] = {}
        if names:
            files[LABELS] = (json.dumps({"label2id": dict(names)}, indent=2) + "\n").encode()
        labels = {name.lower(): number for name, number in names.items()}
        settings: dict[str, Any] = {}
        if (folder / SETTINGS).is_file():
            settings, _ = read_json_object(folder / SETTINGS)
            files[SETTINGS] = (json.dumps(settings, indent=2) + "\n").encode()
        if (folder / TOKENIZER).is_file():
            data = _bytes_of(folder / TOKENIZER)
            try:
                found = tokenizers.Tokenizer.from_buffer(data)
            except Exception as error:  # the library raises nothing more special
                raise _damaged(folder / TOKENIZER, error) from None
            return cls(found, labels, {**files, TOKENIZER: data})
        if not (folder / VOCAB).is_file():
            raise UserError(
                f"{folder} has no tokenizer, {TOKENIZER} or {VOCAB}; put the model's there."
            )
        data = _bytes_of(folder / VOCAB)
        lower = settings.get("do_lower_case", True)
        if not isinstance(lower, bool):
            raise UserError(
                f"{folder / SETTINGS}: do_lower_case={shown(lower)} is not true or false."
            )
        words = _words(folder / VOCAB, data)
        made = tokenizers.BertWordPieceTokenizer(vocab=words, lowercase=lower)
        return cls(made, labels, {**files, VOCAB: data})

    def encode(
        self,
        texts: Sequence[tuple[str, ...]],
        tokens: int,
        name: str,
        on_progress: OnProgress = no_progress,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ids (int32), types (int8) and what is seen (bool), each n x tokens.

        texts: n texts or pairs. The longer one of a pair is cut first.
        """
        shape = (len(texts), tokens)
        filling = self.tokenizer.token_to_id("[PAD]") or 0
        ids = np.full(shape, filling, dtype=np.int32)
        types, seen = np.zeros(shape, dtype=np.int8), np.zeros(shape, dtype=bool)
        try:
            self.tokenizer.no_padding()
            self.tokenizer.enable_truncation(tokens)
            for start in range(0, len(texts), AT_ONCE):
                part = [
                    text if len(text) > 1 else text[0] for text in texts[start : start + AT_ONCE]
                ]
                for n, found in enumerate(self.tokenizer.encode_batch(part), start):
                    length = len(found.ids)
                    if not 0 < length <= tokens:
                        raise UserError(
                            f"{name}: the tokenizer makes {length} tokens of text {n + 1}, and "
                            f"from 1 to {tokens} fit; use another `sequence_length`."
                        )
                    ids[n, :length], types[n, :length] = found.ids, found.type_ids
                    seen[n, :length] = True
                done = min(start + AT_ONCE, len(texts))
                on_progress(f"reading {name}", done, len(texts), "texts")
        except UserError:
            raise
        except Exception as error:  # the library raises nothing more special
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"{name} cannot be made {tokens} tokens a text ({reason}); use another "
                "`sequence_length`."
            ) from None
        return ids, types, seen


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a tokenizer's files into the folder of a model."""
    for name, data in files.items():
        write_atomically(folder / name, data)


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MOST_FILE_BYTES + 1)
    if len(data) > MOST_FILE_BYTES:
        raise UserError(f"{path} has over {MOST_FILE_BYTES >> 20} MiB, too much for a tokenizer.")
    return data


def _damaged(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:120]
    return UserError(f"{path} is not a tokenizer that can be read ({reason}); fetch it again.")


def _words(path: Path, data: bytes) -> dict[str, int]:
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from None
    words = {word.rstrip("\r"): number for number, word in enumerate(lines) if word.rstrip("\r")}
    missing = [word for word in SPECIAL if word not in words]
    if missing:
        raise UserError(f"{path} has no line '{missing[0]}', which BERT's vocabularies have.")
    return words


def _label_names(folder: Path) -> dict[str, int]:
    """Return the model's names of its classes; empty where it has none of its own."""
    path = next((folder / n for n in (LABELS, "config.json") if (folder / n).is_file()), None)
    if path is None:
        return {}
    record, source = read_json_object(path)
    names = record.get("label2id", {})
    if not isinstance(names, dict) or not all(type(n) is int for n in names.values()):
        raise UserError(
            f"{source}: label2id={shown(names)} is not an object of whole numbers by name."
        )
    return names
