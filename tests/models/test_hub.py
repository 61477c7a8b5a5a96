from __future__ import annotations

import json
import sys
import types

import pytest
from vitprof.models import create_spec
from vitprof.models.hub import cached_folder, fetch, hub_cache, is_hub_id, weights_folder

ID = "google/vit-small-p16"
REVISION = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "model_type": "vit",
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": 8,
    "patch_size": 4,
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for name in ("HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


def put(cache, model=ID, name="config.json", text=None):
    """Write a file as huggingface_hub does: a blob, and a link to it from the snapshot."""
    home = cache / f"models--{model.replace('/', '--')}"
    snapshot = home / "snapshots" / REVISION
    for folder in (home / "blobs", home / "refs", snapshot):
        folder.mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(REVISION)
    (home / "blobs" / f"blob-of-{name}").write_text(json.dumps(CONFIG) if text is None else text)
    (snapshot / name).symlink_to(f"../../blobs/blob-of-{name}")
    return home


def test_an_id_in_the_cache_is_a_model(cache):
    put(cache)
    spec = create_spec(ID)
    assert (spec.name, spec.embed, spec.tokens, spec.classes) == ("vit-small-p16", 24, 5, 2)


def test_the_lookup_is_that_of_huggingface_hub(cache):
    hub = pytest.importorskip("huggingface_hub")
    put(cache)
    found = hub.try_to_load_from_cache(ID, "config.json", cache_dir=cache)
    assert str(cached_folder(ID) / "config.json") == found
    assert hub.try_to_load_from_cache("google/other", "config.json", cache_dir=cache) is None
    assert cached_folder("google/other") is None


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b", "XDG_CACHE_HOME": "/c"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_environment_says(monkeypatch, given, place):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert str(hub_cache()) == place


def test_an_id_that_is_not_in_the_cache_is_one_sentence(cache, refused):
    with refused(ID, "not in the local Hugging Face cache", "`download`"):
        create_spec(ID)


def test_an_unknown_architecture_says_which(cache, refused):
    put(cache, text=json.dumps({"model_type": "convnext"}))
    with refused("config.json", "model_type='convnext'", "vit, deit"):
        create_spec(ID)


@pytest.mark.parametrize(
    "text",
    [
        "../../etc/passwd",
        "../x",
        "a/../b",
        "/etc/passwd",
        "a/b/c",
        "a--b/c",
        "a..b/c",
        "a/b.onnx",
        "a/b\0",
        "a/b\n",
        "deit-tiny",
        "",
    ],
)
def test_what_is_no_id(cache, text):
    assert not is_hub_id(text)
    assert cached_folder(text) is None


def test_a_folder_of_the_same_name_comes_first(cache, tmp_path):
    put(cache)
    (tmp_path / ID).mkdir(parents=True)
    (tmp_path / ID / "config.json").write_text(json.dumps({**CONFIG, "hidden_size": 48}))
    assert not is_hub_id(ID)
    assert create_spec(ID).embed == 48


def test_links_out_of_the_models_folder_are_refused(cache, tmp_path, refused):
    home = put(cache)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    link = home / "snapshots" / REVISION / "config.json"
    link.unlink()
    link.symlink_to(tmp_path / "config.json")
    with refused("leads out of"):
        create_spec(ID)


@pytest.mark.parametrize("reference", ["../../../elsewhere", "", "main", "0" * 39])
def test_a_reference_that_is_no_revision_is_not_followed(cache, reference):
    home = put(cache)
    (home / "refs" / "main").write_text(reference)
    assert cached_folder(ID) is None


def test_weights_that_are_not_in_the_cache_are_said_to_be_missing(cache, refused):
    put(cache)
    with refused("not its weights", "`download`"):
        weights_folder(ID)
    put(cache, name="model.safetensors", text="x")
    assert weights_folder(ID) == cached_folder(ID)


def fake_hub(monkeypatch, cache, files, error=None):
    """Put a huggingface_hub in place whose hub has these files; return what is asked of it."""
    asked = []

    class EntryNotFoundError(Exception):
        pass

    def download(model, name, cache_dir):
        asked.append(name)
        if error is not None:
            raise error
        if name not in files:
            raise EntryNotFoundError(name)
        assert cache_dir == cache
        put(cache, model, name, files[name])

    errors = types.ModuleType("huggingface_hub.errors")
    errors.EntryNotFoundError = EntryNotFoundError
    hub = types.ModuleType("huggingface_hub")
    hub.hf_hub_download = download
    hub.errors = errors
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    return asked


def test_what_the_cache_has_is_not_downloaded_again(cache, monkeypatch):
    asked = fake_hub(monkeypatch, cache, {"config.json": None, "pytorch_model.bin": "x"})
    assert fetch(ID) == cached_folder(ID) is not None
    assert fetch(ID) == cached_folder(ID)
    assert asked == ["config.json"]


def test_weights_are_downloaded_only_where_asked(cache, monkeypatch):
    put(cache)
    asked = fake_hub(monkeypatch, cache, {"config.json": None, "pytorch_model.bin": "x"})
    home = cached_folder(ID)
    (home / "config.json").unlink()
    fetch(ID, weights=True)
    assert asked[:3] == ["config.json", "model.safetensors", "pytorch_model.bin"]
    assert (home / "pytorch_model.bin").is_file()


def test_a_download_that_fails_is_one_sentence(cache, monkeypatch, refused):
    fake_hub(monkeypatch, cache, {}, OSError("no route to host\nand a long story"))
    with refused(ID, "cannot be downloaded (no route to host)"):
        fetch(ID)
    fake_hub(monkeypatch, cache, {})
    with refused(ID, "no config.json"):
        fetch(ID)
    fake_hub(monkeypatch, cache, {"config.json": None})
    with refused(ID, "model.safetensors and pytorch_model.bin"):
        fetch(ID, weights=True)
