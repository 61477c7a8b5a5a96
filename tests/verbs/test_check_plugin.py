"""check_plugin: each promise of what another wheel adds, and of our own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import vitprof
from vitprof import UserError
from vitprof.backends import BackendOptions
from vitprof.promises import Checked

Install = Callable[..., None]


def test_our_own_keep_their_promises() -> None:
    for name, noun in (("onnxruntime", "backend"), ("cpu", "device"), ("optin", "method")):
        told: list[Checked] = []
        (found,) = vitprof.check_plugin(name, on_checked=told.append)
        assert (found.name, found.noun, found.broken) == (name, noun, [])
        assert told == list(found.checked)
        assert repr(found).startswith(f"{noun} '{name}': ")
        assert noun in found._repr_html_()
        assert list(found.to_frame()["promise"]) == [one.promise for one in found.checked]
        assert found.report()["promises"][0]["answer"] == "ok"


def test_one_that_cannot_be_imported_is_told_so(install_wheel: Install) -> None:
    install_wheel("bad", {"vitprof.methods": {"mine": "bad_method:METHOD"}}, bad_method="1 / 0")
    (found,) = vitprof.check_plugin("mine")
    assert (found.noun, len(found.checked)) == ("method", 1)
    assert "cannot be imported (ZeroDivisionError" in found.broken[0].why


def test_a_device_of_another_wheel_is_checked(install_wheel: Install) -> None:
    text = (
        "from vitprof.backends.devices import DeviceEntry\n"
        "PI = DeviceEntry('pi', {'title': 'Pi', 'backend': 'onnxruntime', 'machine': 'Pi .*',\n"
        "    'dtypes': ['fp32', 'bf16'], 'sparsity': ['dense'],\n"
        "    'multiples_of': {'fp32': 16, 'bf16': 16}})\n"
    )
    install_wheel("pi", {"vitprof.devices": {"pi": "pi_board:PI"}}, pi_board=text)
    (found,) = vitprof.check_plugin("pi")
    assert [one.promise for one in found.broken] == ["its backends take each of its dtypes"]
    assert "onnxruntime does not take bf16" in found.broken[0].why


def test_a_precision_that_this_processor_lacks_breaks_no_promise(monkeypatch) -> None:
    from vitprof.backends.openvino.backend import OpenVinoBackend
    from vitprof.errors import NotOnThisMachineError

    def lacking(_self: object, options: BackendOptions) -> None:
        if options.dtype == "bf16":
            raise NotOnThisMachineError("no bf16 on this processor")

    monkeypatch.setattr(OpenVinoBackend, "check", lacking)
    (found,) = vitprof.check_plugin("cpu")
    assert not found.broken


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('help = "as I do it"', ""),
        ('help = ""', "it says in half a sentence what it does"),
        ('help, kinds = "x", ("nothing",)', "it takes units of structures that are known"),
        (
            'help, scores = "x", ("a",)\n    def score(self, wanted): return wanted',
            "an unknown score is refused",
        ),
    ],
)
def test_a_method_of_another_wheel_is_checked(
    text: str, words: str, install_wheel: Install
) -> None:
    module = (
        "from dataclasses import dataclass\n"
        "from vitprof.compress.methods import Method, option\n"
        "@dataclass(frozen=True)\nclass Options:\n    every: int = option(2, 'layers')\n"
        "class Mine(Method[Options]):\n    name, kinds, Options = 'mine', ('mlp',), Options\n"
        f"    {text}\n    def run(self, context, options): return None\n"
        "METHOD = Mine()\n"
    )
    install_wheel("mine", {"vitprof.methods": {"mine": "my_method:METHOD"}}, my_method=module)
    (found,) = vitprof.check_plugin("mine")
    broken = [one.promise for one in found.broken]
    assert len(broken) == bool(words)
    assert words in "".join(broken)


def test_what_is_called_nothing_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"called 'onnxruntim' \(did you mean 'onnxruntime'"):
        vitprof.check_plugin("onnxruntim")
