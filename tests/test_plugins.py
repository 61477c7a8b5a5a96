"""What other wheels add is found by name, and left out with one sentence where it is unfit."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from vitprof.errors import UserError
from vitprof.plugins import API_VERSION, PluginGroup

Install = Callable[..., None]
GROUP = "vitprof.tests"
TEXT = "from types import SimpleNamespace\nTHING = SimpleNamespace(name='thing', api=1)\n"


def things(**others: object) -> PluginGroup[SimpleNamespace]:
    return PluginGroup(GROUP, SimpleNamespace, "thing", ("ours",), **others)  # type: ignore[arg-type]


def test_a_plugin_is_found_by_its_name(install_wheel: Install) -> None:
    install_wheel("toy", {GROUP: {"thing": "toy_things:THING"}}, toy_things=TEXT)
    group = things()
    assert group.names() == ["thing"]
    assert "toy_things" not in sys.modules  # listing names imports nothing
    found = group.find("thing")
    assert found is not None
    assert (found.name, found.api) == ("thing", API_VERSION)
    assert group.all() == {"thing": found}
    assert group.find("nothing") is None


def test_what_is_installed_later_is_found(install_wheel: Install) -> None:
    group = things()
    assert group.find("thing") is None
    install_wheel("toy", {GROUP: {"thing": "toy_things:THING"}}, toy_things=TEXT)
    assert group.find("thing") is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('no\\nluck')", "'bad_things:THING' cannot be imported (RuntimeErr"),
        ("import sys; sys.exit(3)", "cannot be imported (SystemExit: 3)"),
        ("THING = (", "cannot be imported (SyntaxError"),
        ("", "cannot be imported (AttributeError"),
        ("THING = 3", "'bad_things:THING' is not a SimpleNamespace"),
        (TEXT.replace("thing'", "other'"), "it calls itself 'other'"),
        (TEXT.replace("api=1", "api=7"), "made for version 7 of vitprof's plug-ins, and this is 1"),
        (TEXT.replace(", api=1", ""), "made for version None of vitprof's plug-ins"),
    ],
)
def test_an_unfit_plugin_is_left_out_with_one_sentence(
    text: str, reason: str, install_wheel: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install_wheel("good", {GROUP: {"thing": "toy_things:THING"}}, toy_things=TEXT)
    install_wheel("bad", {GROUP: {"worse": "bad_things:THING"}}, bad_things=text)
    group = things()
    with caplog.at_level(logging.WARNING, "vitprof"):
        assert list(group.all()) == ["thing"]
        assert list(group.all()) == ["thing"]  # said once
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith("the thing 'worse' of the wheel 'bad' is left out: ")
    assert reason in message
    assert "\n" not in message
    assert message.endswith(".")
    with pytest.raises(UserError, match="left out"):
        group.load("worse")


def test_a_built_in_name_is_not_shadowed(
    install_wheel: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install_wheel("bad", {GROUP: {"ours": "bad_things:THING"}}, bad_things="raise RuntimeError")
    with caplog.at_level(logging.WARNING, "vitprof"):
        assert things().all() == {}
    (message,) = (record.getMessage() for record in caplog.records)
    assert message == (
        "the thing 'ours' of the wheel 'bad' is left out: vitprof has a thing of this name itself."
    )


def test_of_two_of_one_name_the_first_stays(
    install_wheel: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install_wheel("later", {GROUP: {"thing": "later_things:THING"}}, later_things=TEXT)
    install_wheel("first", {GROUP: {"thing": "toy_things:THING"}}, toy_things=TEXT)
    with caplog.at_level(logging.WARNING, "vitprof"):
        assert list(things().all()) == ["thing"]
    (message,) = (record.getMessage() for record in caplog.records)
    assert "the wheel 'later' is left out: the wheel 'first' has one of this name too." in message


def test_a_group_refuses_for_reasons_of_its_own(
    install_wheel: Install, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: SimpleNamespace) -> None:
        raise UserError("it is too small.")

    install_wheel("toy", {GROUP: {"thing": "toy_things:THING"}}, toy_things=TEXT)
    with caplog.at_level(logging.WARNING, "vitprof"):
        assert things(check=refuse).find("thing") is None
    assert caplog.records[0].getMessage().endswith("left out: it is too small.")


def test_loading_says_what_is_not_there() -> None:
    with pytest.raises(UserError, match=r"no installed wheel has a thing 'x'\."):
        things().load("x")


def test_importing_vitprof_looks_for_no_plugins() -> None:
    code = (
        "import sys, vitprof\nvitprof.create_spec('deit-tiny').macs\n"
        "print('importlib.metadata' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
