"""`vitprof prune` and `eval` on a BERT in Hugging Face's folder, all through the command."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from pruned_digits import table_of
from vitprof.models import BertSpec, create_model, create_spec
from vitprof.results import plain
from vitprof.spaces.bert import BertSlabs
from vitprof.training.data.texts import load_texts
from vitprof.training.data.tokenizer import TextEncoder

pytestmark = pytest.mark.slow

pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

WORDS = ["good", "fine", "bad", "poor", *(f"w{n}" for n in range(70))]
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SPEC = BertSpec.uniform(
    32, 3, 4, mlp=64, vocab=len(VOCAB), positions=24, tokens=24, classes=2, name="review-bert"
)
ONE_SHOT = (
    "--method",
    "optin",
    "--score-images",
    "16",
    "--reconstruct",
    "100",
    "--groups",
    "heads=1,mlp=8",
)


def sentences(count: int, seed: int) -> list[tuple[str, int]]:
    """Return sentences of 3 to 20 words, of which one is praise (1) or blame (0)."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        words = rng.choices(WORDS[4:], k=rng.randint(2, 19))
        label = rng.randint(0, 1)
        words.insert(rng.randint(0, len(words)), WORDS[2 * (1 - label) + rng.randint(0, 1)])
        found.append((" ".join(words), label))
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """transformers' own BERT, its vocabulary beside it, trained for seconds to know the words."""
    folder = tmp_path_factory.mktemp("model") / "review-bert"
    torch.manual_seed(0)
    official = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(VOCAB),
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=24,
            num_labels=2,
        )
    )
    official.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    texts = load_texts(str(task(folder.parent)), SPEC, TextEncoder.beside(folder)).train
    optimizer = torch.optim.AdamW(official.parameters(), lr=2e-3)
    for step in range(60):
        part = texts.take(range(step % 8 * 64, step % 8 * 64 + 64))
        loss = official(
            input_ids=torch.from_numpy(part.ids).long(),
            attention_mask=torch.from_numpy(part.seen).long(),
            labels=torch.from_numpy(part.labels),
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    official.save_pretrained(folder)
    return folder


def task(folder: Path) -> Path:
    """Write train.tsv and dev.tsv as GLUE's SST-2 has them."""
    path = folder / "task"
    path.mkdir(exist_ok=True)
    for name, count, seed in (("train", 512, 1), ("dev", 200, 2)):
        rows = "".join(f"{text}\t{label}\n" for text, label in sentences(count, seed))
        (path / f"{name}.tsv").write_text("sentence\tlabel\n" + rows)
    return path


@pytest.fixture(scope="module")
def data(model) -> Path:
    return model.parent / "task"


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return table_of(BertSlabs.covering(SPEC).blocks(), tmp_path_factory.mktemp("table") / "lut.csv")


def test_eval_is_what_transformers_say(run, model, data) -> None:
    answer = run("eval", "--model", model, "--data", data / "dev.tsv", "--json")
    assert answer.code == 0, answer.err
    official = transformers.BertForSequenceClassification.from_pretrained(model).eval()
    tokenizer = transformers.BertTokenizerFast.from_pretrained(model)
    found = sentences(200, 2)
    inputs = tokenizer([text for text, _ in found], padding=True, return_tensors="pt")
    with torch.no_grad():
        said = official(**inputs).logits.argmax(dim=-1)
    labels = torch.tensor([label for _, label in found])
    both = int(((said == 1) & (labels == 1)).sum())
    assert answer.json["texts"] == 200
    assert answer.json["top1"] == pytest.approx(float((said == labels).float().mean()))
    assert answer.json["f1"] == pytest.approx(
        2 * both / int((said == 1).sum() + (labels == 1).sum()), abs=1e-5
    )
    words = run("eval", "--model", model, "--data", data)
    assert "F1" in words.out
    assert "of 200 test texts" in words.out


@pytest.mark.parametrize("score", ["trajectory", "joint"])
def test_one_shot_writes_models_that_load_again(run, model, data, table, tmp_path, score) -> None:
    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.8x,0.6x",
        "--data",
        data,
        *ONE_SHOT,
        "--score",
        score,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    assert answer.json["base"]["top1"] > 0.95
    for each in answer.json["models"]:
        assert each["predicted_ms"] <= each["target_ms"]
        assert each["top1"] > 0.9
        folder = Path(each["out"])
        assert {path.name for path in folder.iterdir()} == {
            "spec.json",
            "model.safetensors",
            "model.onnx",
            "model.pt2",
            "load.py",
            "weights_origin.json",
            "report.json",
            "redistribution.csv",
            "redistribution.png",
            "sensitivity.csv",
            "vocab.txt",
            "tokenizer_config.json",
        }
        asked = run("predict", "--table", table, "--model", folder / "spec.json", "--json")
        assert asked.json["latency_ms"] == each["predicted_ms"]
        again = run("eval", "--model", folder, "--data", data, "--json")
        assert (again.json["top1"], again.json["f1"]) == (each["top1"], each["f1"])
        lines = (folder / "redistribution.csv").read_text().splitlines()
        assert any(line.startswith("layers.0.heads,heads,4,") for line in lines)
    assert plain(json.loads((out / "report.json").read_text())["base"]) == answer.json["base"]


def test_the_onnx_file_takes_filled_up_batches(run, model, data, table, tmp_path) -> None:
    import onnxruntime

    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.7x",
        "--data",
        data,
        *ONE_SHOT,
        "--out",
        out,
    )
    assert answer.code == 0, answer.err
    assert "F1" in answer.out
    made = create_model(out, checkpoint=out)
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    # Praise that fills up, after words that say nothing.
    ids = torch.cat([torch.arange(20, 35), torch.full((9,), VOCAB.index("good"))])[None]
    types = (torch.arange(24) > 9).long()[None]
    seen = (torch.arange(24) < 15).long()[None]
    given = session.run(
        None,
        {
            "input_ids": ids.numpy(),
            "token_type_ids": types.numpy(),
            "attention_mask": seen.numpy(),
        },
    )[0]
    with torch.no_grad():
        torch.testing.assert_close(
            torch.from_numpy(given), made(ids, types, seen), rtol=1e-4, atol=1e-4
        )
        assert not torch.allclose(made(ids, types, seen), made(ids, types), atol=1e-2)


def test_one_file_and_a_shorter_length(run, model, data, table, tmp_path) -> None:
    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.8x",
        "--data",
        data / "train.tsv",
        "--sequence-length",
        "12",
        *ONE_SHOT,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    spec = create_spec(out)
    assert spec.tokens == 12
    assert spec.layers != SPEC.layers
    whole = run("predict", "--table", table, "--model", model, "--json").json
    assert answer.json["base"]["latency_ms"] < 0.6 * whole["latency_ms"]


def test_a_tokenizer_json_is_taken_and_copied(run, model, data, table, tmp_path) -> None:
    folder = tmp_path / "with-json"
    official = transformers.BertForSequenceClassification.from_pretrained(model)
    official.save_pretrained(folder)
    transformers.BertTokenizerFast.from_pretrained(model).save_pretrained(folder)
    (folder / "vocab.txt").unlink(missing_ok=True)
    plain, other = (
        run("eval", "--model", each, "--data", data, "--json").json for each in (model, folder)
    )
    assert (plain["top1"], plain["f1"]) == (other["top1"], other["f1"])
    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        folder,
        "--table",
        table,
        "--target",
        "0.8x",
        "--data",
        data,
        *ONE_SHOT,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    assert (out / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "nvit"), "use --method optin"),
        (("--merge-tokens",), "--merge-tokens takes models of images"),
        (("--merge-only",), "--merge-only takes models of images"),
        (("--resolution", "224"), "--resolution is for models of images"),
        (("--sequence-length", "25"), "24 positions"),
        (("--score-images", "5000"), "5000 texts"),
        (("--target", "0.01x"), "out of reach"),
        (("--data", "none.tsv"), "does not exist"),
        (("--data", "digits"), "does not exist"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence(run, model, data, table, tmp_path, arguments, words) -> None:
    given = ONE_SHOT[:2] if "nvit" in arguments else ONE_SHOT
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.8x",
        "--data",
        data,
        *given,
        *arguments,
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err


def test_models_and_data_of_two_kinds(run, model, data, tmp_path) -> None:
    for arguments, words in (
        (("train", "--model", model, "--data", data, "--out", tmp_path / "out"), "vitprof train"),
        (("eval", "--model", "bert-tiny", "--data", data), "has no weights"),
        (("eval", "--model", model, "--data", data, "--resolution", "8"), "--resolution"),
        (
            ("eval", "--model", "vit-micro-8", "--data", data, "--sequence-length", "8"),
            "--sequence-length",
        ),
    ):
        answer = run(*arguments)
        assert answer.code == 2
        assert answer.is_one_sentence, answer.err
        assert words in answer.err
