import pytest
from vitprof import UserError
from vitprof.backends.device_file import devices_from_toml

GOOD = """
[my-gpu]
title = "My GPU"
backend = "tensorrt"
gpu_name = 'My (GPU)?'
compute_capability = "8.6"
dtypes = ["fp16", "fp32"]
sparsity = ["dense", "2:4"]
multiples_of = { fp16 = 8, fp32 = 4, "2:4" = 16 }
"""


def test_a_good_entry_is_read() -> None:
    device = devices_from_toml(GOOD, "mine.toml")["my-gpu"]
    assert device.title == "My GPU"
    assert device.backend == "tensorrt"
    assert device.dtypes == ("fp16", "fp32")
    assert device.sparsity == ("dense", "2:4")
    assert dict(device.multiples_of) == {"fp16": 8, "fp32": 4, "2:4": 16}
    assert (device.gpu_name, device.compute_capability, device.machine) == (
        "My (GPU)?",
        "8.6",
        None,
    )


# What is replaced in the good file, by what, and what the error says.
MISTAKES = {
    "no TOML": ('title = "My GPU"', "title =", "is not valid TOML"),
    "the same device twice": ("[my-gpu]", "[my-gpu]\n[my-gpu]", "is not valid TOML"),
    "no table": ("[my-gpu]", "my-gpu = 3\n[x]", "must be a table"),
    "a bad name": ("[my-gpu]", "['My GPU']", "small letters"),
    "a missing key": ('title = "My GPU"', "", "'title' is missing"),
    "a misspelt key": ("gpu_name", "gpu_nam", "unknown key 'gpu_nam'.*did you mean 'gpu_name'"),
    "an empty title": ('"My GPU"', '" "', "title=' ' must be a text"),
    "a title that is not a text": ('"My GPU"', "3", "title=3 must be a text"),
    "an unknown backend": ('"tensorrt"', '"tflite"', "'tflite'.*onnxruntime, torch"),
    "a backend that is not a text": ('"tensorrt"', "[]", "backend=.* must be a text"),
    "a broken pattern": ("'My (GPU)?'", "'My (GPU'", "not a regular expression"),
    "a pattern that is not a text": ("'My (GPU)?'", "7", "gpu_name=7 must be a text"),
    "a capability as a number": ('"8.6"', "8.6", "compute_capability=8.6 must be a text"),
    "a capability of another form": ('"8.6"', '"sm86"', 'must look like "7.5"'),
    "no identity": (
        "gpu_name = 'My (GPU)?'\ncompute_capability = \"8.6\"",
        "",
        "compute_capability and gpu_name or machine, but this entry gives nothing",
    ),
    "two identities": ("gpu_name", "machine = 'x'\ngpu_name", "gives .* and machine"),
    "an identity for the CPU": ('"tensorrt"', '"onnxruntime"', "identified by nothing"),
    "an unknown dtype": ('["fp16", "fp32"]', '["fp16", "fp8"]', "dtypes has 'fp8'; .*fp32, fp16"),
    "a dtype twice": ('["fp16", "fp32"]', '["fp16", "fp16"]', "names one twice"),
    "a dtype that is not a text": ('["fp16", "fp32"]', '["fp16", [1]]', r"dtypes has \[1\]"),
    "no dtypes": ('["fp16", "fp32"]', "[]", "dtypes must be a list"),
    "dtypes as a text": ('["fp16", "fp32"]', '"fp16"', "dtypes must be a list"),
    "sparsity without dense": ('["dense", "2:4"]', '["2:4"]', "begin with 'dense'"),
    "an unknown sparsity": ('["dense", "2:4"]', '["dense", "1:4"]', "sparsity has '1:4'"),
    "a multiple too few": (', "2:4" = 16', "", "exactly fp16, fp32, 2:4"),
    "a multiple too many": ("fp32 = 4", "fp32 = 4, int8 = 16", "exactly fp16, fp32, 2:4"),
    "multiples as a number": ('{ fp16 = 8, fp32 = 4, "2:4" = 16 }', "8", "exactly fp16"),
    "a multiple of zero": ("fp16 = 8", "fp16 = 0", "fp16=0 must be a whole number from 1"),
    "a multiple of a half": ("fp16 = 8", "fp16 = 0.5", "fp16=0.5 must be a whole number"),
    "a multiple of true": ("fp16 = 8", "fp16 = true", "fp16=True must be a whole number"),
    "a huge multiple": ("fp16 = 8", "fp16 = 4096", "from 1 to 1024"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_entry_is_refused_with_file_and_cause(mistake: str) -> None:
    old, new, words = MISTAKES[mistake]
    assert GOOD.count(old) == 1
    with pytest.raises(UserError, match=rf"^mine\.toml.*{words}"):
        devices_from_toml(GOOD.replace(old, new), "mine.toml")


def test_the_error_names_the_device() -> None:
    other = GOOD.replace("my-gpu", "other").replace('"fp32"', '"fp8"')
    with pytest.raises(UserError, match="device 'other'"):
        devices_from_toml(GOOD + other, "mine.toml")
