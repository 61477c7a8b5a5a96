"""Labelled texts in memory, as numbers of words: what text models take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...models import BertSpec
from ...models.checks import shown
from ...progress import OnProgress, no_progress
from .datasets import TEST_SHARE, TRAIN_NAMES
from .text_files import SUFFIXES, RawTexts, read_texts
from .tokenizer import TextEncoder

# GLUE's test.tsv has no labels, so its dev.tsv comes first.
TEST_NAMES = (
    "dev",
    "dev_matched",
    "validation",
    "validation_matched",
    "valid",
    "val",
    "test",
)
# Numbers of words that are kept in memory: 6 bytes each.
MOST_WORDS = 2 * 2**30


@dataclass(frozen=True)
class Texts:
    """n texts of one length and their classes.

    ids: n x tokens numbers of words, int32; types: which sentence of a pair, int8; seen: False for
    what fills a text up; labels: n integers, indices into `classes`.
    """

    ids: np.ndarray
    types: np.ndarray
    seen: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str = "texts"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def tokens(self) -> int:
        return int(self.ids.shape[1])

    def take(self, indices: np.ndarray | Sequence[int], name: str = "") -> Texts:
        """Return these texts, in this order."""
        chosen = np.asarray(indices)
        arrays = {
            field: getattr(self, field)[chosen] for field in ("ids", "types", "seen", "labels")
        }
        return replace(self, **arrays, name=name or self.name)


@dataclass(frozen=True)
class TextDataset:
    """Texts to look at while pruning, texts to test on, and the files of what made them numbers."""

    train: Texts
    test: Texts
    files: Mapping[str, bytes] = field(default_factory=dict)


def load_texts(
    source: str,
    spec: BertSpec,
    encoder: TextEncoder,
    on_progress: OnProgress = no_progress,
    whole: bool = False,
) -> TextDataset:
    """Return the texts of a file or folder, as a model of `spec` takes them.

    A folder holds a train and a dev (or validation, or test) file. Of one file a fifth of each
    class is kept for testing, always the same; with `whole` all of it is for testing. Texts are cut
    or filled up to the spec's tokens. Raises UserError for what `read_texts` and the encoder
    refuse, and a label that is not a class of the model.
    """
    path = Path(source)

    def texts(file: Path) -> Texts:
        return _encoded(read_texts(file), spec, encoder, on_progress)

    if not path.exists():
        raise UserError(
            f"{path} does not exist; give a file of texts ({', '.join(SUFFIXES)}), or a folder "
            "with train and dev files."
        )
    if path.is_dir():
        train, test = _part(path, TRAIN_NAMES), _part(path, TEST_NAMES)
        if test is None or (train is None and not whole):
            wanted = "dev" if test is None else "train"
            raise UserError(f"{path} has no {wanted}.tsv (nor .csv, .jsonl); give one file, or it.")
        tested = texts(test)
        return TextDataset(
            tested if whole or train is None else texts(train), tested, encoder.files
        )
    found = texts(path)
    if whole:
        return TextDataset(found, found, encoder.files)
    return TextDataset(*_split(found), encoder.files)


def _part(folder: Path, names: Sequence[str]) -> Path | None:
    candidates = [folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), None)


def _split(texts: Texts, seed: int = 0) -> tuple[Texts, Texts]:
    """Return the texts in two parts, TEST_SHARE of every class that is there in the second."""
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(texts), dtype=bool)
    for label in np.unique(texts.labels):
        of_class = rng.permutation(np.flatnonzero(texts.labels == label))
        chosen[of_class[: round(TEST_SHARE * len(of_class))]] = True
    if not chosen.any():
        raise UserError(f"{texts.name} has too few texts to keep some for testing.")
    return (
        texts.take(np.flatnonzero(~chosen), f"{texts.name} (train)"),
        texts.take(np.flatnonzero(chosen), f"{texts.name} (test)"),
    )


def _encoded(raw: RawTexts, spec: BertSpec, encoder: TextEncoder, on_progress: OnProgress) -> Texts:
    if len(raw.texts) * spec.tokens > MOST_WORDS:
        raise UserError(
            f"{raw.name}: {len(raw.texts)} texts of {spec.tokens} tokens are more than are kept in "
            "memory; use fewer, or a smaller `sequence_length`."
        )
    labels = [
        _label(raw, n, spec, encoder.labels) for n in range(len(raw.texts))
    ]  # before the texts: they take longer
    ids, types, seen = encoder.encode(raw.texts, spec.tokens, raw.name, on_progress)
    for what, given, wanted in (("words", ids, spec.vocab), ("sentences", types, spec.types)):
        if given.max() >= wanted:
            raise UserError(
                f"{raw.name}: the tokenizer numbers {what} up to {int(given.max())}, and "
                f"{spec.name} has {wanted}; use the tokenizer that belongs to the model."
            )
    classes = tuple(map(str, range(spec.classes)))
    return Texts(ids, types, seen, np.array(labels, dtype=np.int64), classes, raw.name)


def _label(raw: RawTexts, nth: int, spec: BertSpec, names: Mapping[str, int]) -> int:
    """Return a label's number: as it stands there, or by the model's own names of its classes."""
    text = raw.labels[nth]
    where = f"{raw.name}, line {raw.lines[nth]}: the label {shown(text)}"
    number = names.get(text.lower())
    if number is None:
        try:
            number = int(text) if text.isascii() else None
        except ValueError:
            number = None
    if number is None:
        known = f"its names are {shown(', '.join(names))}" if names else "it gives its classes none"
        raise UserError(
            f"{where} is neither a whole number nor a name that the model gives a class ({known})."
        )
    if not 0 <= number < spec.classes:
        raise UserError(
            f"{where} is not a class of {spec.name}, whose labels go from 0 to {spec.classes - 1}."
        )
    return number
