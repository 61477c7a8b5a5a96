import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.backends import BackendError
from vitprof.backends.coreml.package import MANIFEST, MODEL, WEIGHTS, model_of, pack, unpack

GOOD = pack(b"a model", b"its weights")


def rewritten(change=None, extra=()) -> bytes:
    """GOOD with each entry put through `change(info, content)`, and more entries at the end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as good, zipfile.ZipFile(buffer, "w") as bad:
        for entry in good.infolist():
            content = good.read(entry)
            info = zipfile.ZipInfo(entry.filename)
            if change is not None:
                changed = change(info, content)
                if changed is None:
                    continue
                info, content = changed
            bad.writestr(info, content)
        for name, content in extra:
            bad.writestr(name, content)
    return buffer.getvalue()


def test_a_package_comes_back_as_it_was(tmp_path) -> None:
    package = unpack(GOOD, tmp_path)
    assert package == tmp_path / "model.mlpackage"
    assert (package / MODEL).read_bytes() == b"a model" == model_of(GOOD)
    assert (package / WEIGHTS).read_bytes() == b"its weights"
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert files == {MANIFEST, MODEL, WEIGHTS}
    assert pack(b"a model", b"its weights") == GOOD


def test_a_model_without_weights_still_has_their_folder(tmp_path) -> None:
    package = unpack(pack(b"a model", None), tmp_path)
    assert list((package / WEIGHTS).parent.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "/tmp/escaped",
        "Data/../../escaped",
        "Data\\com.apple.CoreML\\model.mlmodel",
        "Data/com.apple.CoreML/more.bin",
        "Data/",
        "x" * 60_000,
    ],
)
def test_an_entry_that_is_no_part_of_a_package_is_refused(tmp_path, name) -> None:
    with pytest.raises(BackendError, match="not part of a Core ML package") as caught:
        unpack(rewritten(extra=[(name, b"")]), tmp_path / "in")
    assert len(str(caught.value)) < 300
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO])
def test_a_link_or_anything_else_but_a_file_is_refused(tmp_path, kind) -> None:
    def change(info, content):
        if info.filename == WEIGHTS:
            info.external_attr = (kind | 0o777) << 16
            content = b"/etc/passwd"
        return info, content

    with pytest.raises(BackendError, match="not a plain file"):
        unpack(rewritten(change), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_is_refused_before_it_goes_off(tmp_path) -> None:
    def change(info, content):
        if info.filename == WEIGHTS:
            info.compress_type = zipfile.ZIP_DEFLATED
            content = bytes(50_000_000)
        return info, content

    bomb = rewritten(change)
    assert len(bomb) < 100_000
    with pytest.raises(BackendError, match="compressed"):
        unpack(bomb, tmp_path)


def test_a_size_beyond_the_artifacts_is_refused(tmp_path) -> None:
    huge = bytearray(GOOD)
    entry = huge.rindex(b"PK\x01\x02")  # the last entry of the central directory: the weights
    huge[entry + 20 : entry + 28] = (0xFFFF_FFF0).to_bytes(4, "little") * 2
    with pytest.raises(BackendError, match="larger than it is"):
        unpack(bytes(huge), tmp_path)


@pytest.mark.parametrize("name", [MANIFEST, MODEL])
def test_a_missing_part_is_named(tmp_path, name) -> None:
    def change(info, content):
        return None if info.filename == name else (info, content)

    with pytest.raises(BackendError, match=f"no '{name}'"):
        unpack(rewritten(change), tmp_path)


def test_a_manifest_that_points_elsewhere_is_refused(tmp_path) -> None:
    def change(info, content):
        return info, content.replace(b"com.apple.CoreML/weights", b"../../../../etc")

    with pytest.raises(BackendError, match=r"Manifest\.json is not the one"):
        unpack(rewritten(change), tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_twice_is_refused(tmp_path) -> None:
    with pytest.raises(BackendError, match="more than once"):
        unpack(rewritten(extra=[(MODEL, b"another")]), tmp_path)


@pytest.mark.parametrize("artifact", [b"", b"no zip at all" * 9, GOOD[: len(GOOD) // 2]])
def test_what_is_no_zip_is_refused(tmp_path: Path, artifact) -> None:
    with pytest.raises(BackendError, match="opening the Core ML artifact failed"):
        unpack(artifact, tmp_path)


@given(st.data())
def test_a_changed_byte_never_raises_anything_else(tmp_path_factory, data) -> None:
    place = data.draw(st.integers(0, len(GOOD) - 1))
    damaged = bytearray(GOOD)
    damaged[place] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("damaged")
    try:
        package = unpack(bytes(damaged), folder)
    except BackendError:
        return
    # A byte that zip does not care about: what is unpacked is unchanged.
    assert (package / MODEL).read_bytes() == b"a model"
