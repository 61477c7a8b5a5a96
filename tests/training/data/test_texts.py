"""Texts from files: what is read, what it becomes, and what is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from vitprof.models import BertSpec
from vitprof.training.data import text_files
from vitprof.training.data.text_files import read_texts
from vitprof.training.data.texts import Texts, load_texts
from vitprof.training.data.tokenizer import TextEncoder, write_files
from vitprof.training.evaluate import evaluate
from vitprof.training.inputs import model_inputs

tokenizers = pytest.importorskip("tokenizers")
Refused = Callable[..., object]

VOCAB = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "good",
    "bad",
    "film",
    "Film",
    "##s",
    "the",
    ".",
    "très",
    *(f"w{n}" for n in range(60)),
]
SPEC = BertSpec.uniform(16, 1, 2, mlp=16, vocab=len(VOCAB), positions=32, tokens=8, name="small")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a model with a vocabulary."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "vocab.txt").write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    return path


def data(tmp_path: Path, text: str, name: str = "data.tsv") -> str:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def numbers(*words: str) -> list[int]:
    return [VOCAB.index(word) for word in words]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", 'sentence\tlabel\na good film\t1\n"the bad\t0\n'),
        ("b.csv", 'label,sentence\n1,a good film\n0,"""the bad"\n'),
        (
            "c.jsonl",
            '{"sentence": "a good film", "label": 1}\n\n{"label": "0", "sentence": "\\"the bad"}',
        ),
        ("d.tsv", '\ufeffidx\tsentence\tlabel\r\n7\ta good film\t1\r\n8\t"the bad\t0\r\n'),
        ("e.tsv", 'text\tlabel\na good film\t1\n"the bad\t0'),
    ],
    ids=lambda value: value[:6],
)
def test_single_texts(name, text, tmp_path) -> None:
    found = read_texts(Path(data(tmp_path, text, name)))
    assert found.texts == [("a good film",), ('"the bad',)]
    assert found.labels == ["1", "0"]


@pytest.mark.parametrize(
    "header",
    [
        "sentence1\tsentence2\tlabel",
        "question1\tquestion2\tis_duplicate",
        "premise\thypothesis\tgold_label",
        "question\tsentence\tlabel",
    ],
)
def test_pairs(header, tmp_path) -> None:
    found = read_texts(Path(data(tmp_path, header + "\na film\tthe film\t1\n")))
    assert found.texts == [("a film", "the film")]


def test_mrpc_as_it_is_shipped(tmp_path) -> None:
    text = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t70\t71\ta film\tthe film\n"
    found = read_texts(Path(data(tmp_path, text)))
    assert (found.texts, found.labels, found.lines) == ([("a film", "the film")], ["1"], [2])


def test_a_separator_within_a_text_is_no_line_end(tmp_path) -> None:
    found = read_texts(Path(data(tmp_path, "sentence\tlabel\na\u2028good\x85film\t1\n")))
    assert found.texts == [("a\u2028good\x85film",)]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.tsv", "", ["no texts"]),
        ("a.tsv", "sentence\tlabel\n", ["no texts"]),
        ("a.tsv", "sentence\tidx\na\t1\n", ["line 1", "no column label"]),
        ("a.tsv", "words\tlabel\na\t1\n", ["line 1", "no column sentence"]),
        ("a.tsv", "sentence\tlabel\na\t1\nb\n", ["line 3", "1 cells"]),
        ("a.tsv", "sentence\tlabel\tlabel\na\t1\t1\n", ["'label'", "twice"]),
        ("a.tsv", b"sentence\tlabel\na\t1\n\xff\xfe\t1\n", ["line 3", "UTF-8"]),
        ("a.csv", 'sentence,label\n"a,1\n', ["CSV"]),
        ("a.csv", "sentence,label\n" + "a" * 100_001 + ",1\n", ["line 2", "100000 characters"]),
        ("a.jsonl", '{"sentence": "a"\n', ["line 1", "not a JSON object"]),
        ("a.jsonl", "[" * 100_000, ["line 1", "not a JSON object"]),
        ("a.jsonl", "[1]\n", ["line 1", "not a JSON object"]),
        ("a.jsonl", '{"sentence": "a", "label": 1}\n{"sentence": "a"}', ["line 2", "label"]),
        ("a.jsonl", '{"sentence": ["a"], "label": 1}\n', ["line 1", "sentence"]),
        ("a.txt", "sentence\tlabel\na\t1\n", [".tsv, .csv, .jsonl"]),
    ],
    ids=str,
)
def test_files_that_are_refused(name, text, words, tmp_path, refused: Refused) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with refused(*words):
        read_texts(path)


def test_sizes_have_limits(tmp_path, refused: Refused, monkeypatch) -> None:
    path = Path(data(tmp_path, "sentence\tlabel\na\t1\nb\t0\n"))
    with monkeypatch.context() as patch, refused("over 1 texts"):
        patch.setattr(text_files, "MOST_TEXTS", 1)
        read_texts(path)
    with monkeypatch.context() as patch, refused("larger than 10 B", "VITPROF_LARGEST_FILE"):
        patch.setattr(text_files, "MOST_FILE_BYTES", 10)
        read_texts(path)
    with refused("does not exist"):
        read_texts(tmp_path / "none.tsv")


# --- numbers of words -----------------------------------------------------------------------------


def test_texts_become_numbers(folder, tmp_path) -> None:
    source = data(tmp_path, "sentence\tlabel\nA good films .\t1\nthe\t0\n" + "bad " * 20 + "\t0\n")
    texts = load_texts(source, SPEC, TextEncoder.beside(folder), whole=True).test
    assert texts.tokens == 8
    assert texts.ids[0].tolist() == numbers(
        "[CLS]", "a", "good", "film", "##s", ".", "[SEP]", "[PAD]"
    )
    assert texts.ids[1].tolist() == numbers("[CLS]", "the", "[SEP]") + [0] * 5
    assert texts.ids[2].tolist() == numbers("[CLS]", *["bad"] * 6, "[SEP]")
    assert texts.seen.sum(axis=1).tolist() == [7, 3, 8]
    assert texts.labels.tolist() == [1, 0, 0]
    batch = model_inputs(texts, None)
    assert batch.ids.dtype == batch.seen.dtype == torch.int64
    assert batch.seen[1].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def test_pairs_have_types_and_the_longer_is_cut(folder, tmp_path) -> None:
    source = data(tmp_path, "sentence1\tsentence2\tlabel\na bad bad bad bad bad\tthe film\t1\n")
    texts = load_texts(source, SPEC, TextEncoder.beside(folder), whole=True).test
    assert texts.ids[0].tolist() == numbers(
        "[CLS]", "a", "bad", "bad", "[SEP]", "the", "film", "[SEP]"
    )
    assert texts.types[0].tolist() == [0] * 5 + [1] * 3


def test_the_numbers_are_transformers_own(folder, tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    official = transformers.BertTokenizerFast.from_pretrained(folder)
    rows = [("A good FILM.", "the bad films"), ("très unknown", "a"), ("w1 w2 w3 w4", "w5 w6 w7")]
    text = "sentence1\tsentence2\tlabel\n" + "".join(f"{a}\t{b}\t0\n" for a, b in rows)
    source = data(tmp_path, text)
    wanted = official(
        [a for a, _ in rows],
        [b for _, b in rows],
        padding="max_length",
        truncation=True,
        max_length=8,
    )
    official.save_pretrained(tmp_path / "saved")  # its tokenizer.json
    assert (tmp_path / "saved" / "tokenizer.json").exists()
    for where in (folder, tmp_path / "saved"):
        texts = load_texts(source, SPEC, TextEncoder.beside(where), whole=True).test
        assert texts.ids.tolist() == wanted["input_ids"]
        assert texts.types.tolist() == wanted["token_type_ids"]
        assert texts.seen.astype(int).tolist() == wanted["attention_mask"]


def test_case_counts_where_the_settings_say_so(folder, tmp_path) -> None:
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    source = data(tmp_path, "sentence\tlabel\nFilm film\t1\n")
    texts = load_texts(source, SPEC, TextEncoder.beside(folder), whole=True).test
    assert texts.ids[0, 1:3].tolist() == numbers("Film", "film")


def test_labels_by_the_models_names(folder, tmp_path) -> None:
    (folder / "config.json").write_text('{"label2id": {"Entailment": 1, "not_entailment": 0}}')
    source = data(tmp_path, "sentence\tlabel\na\tentailment\nb\tnot_entailment\nc\t1\n")
    encoder = TextEncoder.beside(folder)
    assert load_texts(source, SPEC, encoder, whole=True).test.labels.tolist() == [1, 0, 1]
    # What is written beside a pruned model does the same.
    write_files(encoder.files, tmp_path)
    again = TextEncoder.beside(tmp_path)
    assert again.labels == encoder.labels
    assert load_texts(source, SPEC, again, whole=True).test.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("2", ["line 3", "'2'", "from 0 to 1"]),
        ("-1", ["line 3", "'-1'", "from 0 to 1"]),
        ("4.5", ["line 3", "neither a whole number"]),
        ("good", ["line 3", "neither a whole number", "gives its classes none"]),
        ("", ["line 3", "neither a whole number"]),
        ("9" * 5000, ["line 3", "neither"]),
    ],
    ids=lambda value: str(value)[:8],
)
def test_labels_that_are_no_class(label, words, folder, tmp_path, refused: Refused) -> None:
    source = data(tmp_path, f"sentence\tlabel\na\t1\nb\t{label}\n")
    with refused(*words):
        load_texts(source, SPEC, TextEncoder.beside(folder), whole=True)


def test_a_tokenizer_of_another_model(folder, tmp_path, refused: Refused) -> None:
    words = [*VOCAB, "beyond"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    source = data(tmp_path, "sentence\tlabel\na beyond\t1\n")
    with refused("words up to 74", "has 74"):
        load_texts(source, SPEC, TextEncoder.beside(folder), whole=True)


def test_damaged_tokenizers(tmp_path, refused: Refused) -> None:
    with refused("no tokenizer"):
        TextEncoder.beside(tmp_path)
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with refused("'[UNK]'"):
        TextEncoder.beside(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with refused("vocab.txt"):
        TextEncoder.beside(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with refused("tokenizer.json", "not a tokenizer"):
        TextEncoder.beside(tmp_path)
    (tmp_path / "config.json").write_text('{"label2id": {"a": "x"}}')
    with refused("label2id"):
        TextEncoder.beside(tmp_path)


def test_texts_shorter_than_the_special_tokens(folder, tmp_path, refused: Refused) -> None:
    source = data(tmp_path, "sentence1\tsentence2\tlabel\na\tb\t1\n")
    with refused("5 tokens", "1 to 2", "`sequence_length`"):
        load_texts(source, replace(SPEC, tokens=2), TextEncoder.beside(folder), whole=True)


# --- parts ----------------------------------------------------------------------------------------


def test_one_file_is_split_the_same_way_every_time(folder, tmp_path) -> None:
    rows = "".join(f"w{n % 60} w{n // 60}\t{n % 4 == 0:d}\n" for n in range(100))
    source = data(tmp_path, "sentence\tlabel\n" + rows)
    parts = [load_texts(source, SPEC, TextEncoder.beside(folder)) for _ in range(2)]
    assert (len(parts[0].train), len(parts[0].test)) == (80, 20)
    assert parts[0].test.labels.sum() == 5
    assert np.array_equal(parts[0].test.ids, parts[1].test.ids)
    both = {row.tobytes() for row in parts[0].train.ids} | {r.tobytes() for r in parts[0].test.ids}
    assert len(both) == 100
    assert len(load_texts(source, SPEC, TextEncoder.beside(folder), whole=True).test) == 100


def test_a_folder_has_parts_and_dev_comes_before_test(folder, tmp_path, refused: Refused) -> None:
    parts = tmp_path / "task"
    parts.mkdir()
    encoder = TextEncoder.beside(folder)
    with refused("no dev.tsv"):
        load_texts(str(parts), SPEC, encoder)
    (parts / "test.tsv").write_text("index\tsentence\n0\ta\n")  # GLUE's, without labels
    (parts / "dev.tsv").write_text("sentence\tlabel\na\t1\nb\t0\n")
    with refused("no train.tsv"):
        load_texts(str(parts), SPEC, encoder)
    assert len(load_texts(str(parts), SPEC, encoder, whole=True).test) == 2
    (parts / "train.tsv").write_text("sentence\tlabel\na\t1\nb\t0\nc\t1\n")
    found = load_texts(str(parts), SPEC, encoder)
    assert (len(found.train), len(found.test)) == (3, 2)
    with refused("does not exist"):
        load_texts(str(tmp_path / "none"), SPEC, encoder)


# --- how often a model is right -------------------------------------------------------------------


class FirstWord(nn.Module):
    """Says class 1 where the word after [CLS] is 6, "good"."""

    def __init__(self) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.ones(1))

    def forward(self, batch):
        said = (batch.ids[:, 1] == 6).float() * self.sign
        return torch.stack([1 - said, said], dim=1)


def test_accuracy_and_f1_are_the_closed_forms() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 8, (40, 4)).astype(np.int32)
    labels = (rng.random(40) < 0.3).astype(np.int64)
    seen = np.ones_like(ids, dtype=bool)
    texts = Texts(ids, np.zeros_like(ids), seen, labels, ("0", "1"))
    found = evaluate(FirstWord(), texts, None, batch=16)
    said = (ids[:, 1] == 6).astype(int)
    assert found.top(1) == pytest.approx(metrics.accuracy_score(labels, said))
    assert found.f1 == pytest.approx(metrics.f1_score(labels, said))
    assert found.as_dict() == {"top1": round(found.top(1), 6), "f1": round(found.f1, 6)}
    assert "F1" in found.in_words()
    none = Texts(ids * 0, np.zeros_like(ids), seen, labels * 0, ("0", "1"))
    assert evaluate(FirstWord(), none, None).f1 == 0


def test_more_than_two_classes_have_no_f1() -> None:
    ids = np.full((4, 4), 6, dtype=np.int32)
    texts = Texts(ids, ids * 0, ids > 0, np.arange(4) % 3, ("0", "1", "2"))

    class Three(FirstWord):
        def forward(self, batch):
            return torch.nn.functional.pad(super().forward(batch), (0, 1))

    assert set(evaluate(Three(), texts, None).as_dict()) == {"top1"}


def test_files_of_a_tokenizer_are_what_was_read(folder, tmp_path) -> None:
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "x": "</s>"}')
    (folder / "secret.txt").write_text("not to be copied")
    out = tmp_path / "out"
    out.mkdir()
    write_files(TextEncoder.beside(folder).files, out)
    assert {path.name for path in out.iterdir()} == {"vocab.txt", "tokenizer_config.json"}
    assert (out / "vocab.txt").read_bytes() == (folder / "vocab.txt").read_bytes()
    settings = json.loads((out / "tokenizer_config.json").read_text())
    assert settings == {"do_lower_case": False, "x": "</s>"}
