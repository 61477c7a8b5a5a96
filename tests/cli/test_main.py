"""Start-up, help, errors and exit codes of the whole command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from vitprof.cli.command_list import COMMANDS
from vitprof.cli.main import vitprof as commands


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom vitprof.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'onnxruntime', 'numpy', 'pandas', 'matplotlib', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_predict_imports_no_torch(lut) -> None:
    code = (
        "import sys\nfrom vitprof.cli.main import main\n"
        f"try: main(['predict', '--table', {str(lut)!r}, '--model', 'deit-small'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "heavy = {'torch', 'onnxruntime', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says(command: str) -> None:
    made = commands.get_command(None, command)  # type: ignore[arg-type]
    assert made is not None
    assert COMMANDS[command].summary == " ".join((made.help or "").split("\n\n")[0].split())


def test_the_list_shows_whole_summaries(run) -> None:
    answer = run("--help")
    text = " ".join(answer.out.split())
    for name, listed in COMMANDS.items():
        assert f"{name} {listed.summary}" in text


def test_a_mistyped_command_gets_a_suggestion(run) -> None:
    answer = run("mesure")
    assert answer.code == 2
    assert "No such command 'mesure'. Did you mean measure?" in answer.err
    assert "Did you mean" not in run("xyzzy").err


@pytest.mark.parametrize("alone", [(), ("table",)])
def test_a_group_alone_shows_its_commands_and_is_no_error(run, alone) -> None:
    answer = run(*alone)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == run(*alone, "--help").out


def test_examples_stand_in_lines_of_their_own(run) -> None:
    lines = [line.strip() for line in run("predict", "--help").out.splitlines()]
    assert "vitprof predict lut.csv deit-small --max-latency 80ms" in lines


def test_the_list_of_table_shows_whole_summaries_too(run) -> None:
    text = " ".join(run("table", "--help").out.split())
    summary = "export Write a table, or a result with the columns of the papers, in another format."
    assert summary in text
    assert "..." not in text.replace("[ARGS]...", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run, command: str) -> None:
    answer = run(command, "--help")
    assert answer.code == 0
    assert f"vitprof {command}" in answer.out.split("Example")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--model", "deit-small"),
        ("predict", "--table", "missing.csv", "--model", "deit-small"),
        ("measure", "--device", "cpy"),
        ("measure", "--device", "t4"),
        ("measure", "--space", "vitt"),
        ("measure", "--dtype", "fp8"),
        ("measure", "--batch", "0"),
        ("measure", "--batch", "many"),
        ("measure", "--grid", "embed=a"),
        ("measure", "--grid", "embedd=192"),
        ("measure", "--grid", "mlpp.embed=192"),
        ("measure", "--points", "3"),
        ("measure", "--tokens", "0"),
        ("measure", "--model", "deit-smal"),
        ("measure", "--out", "no/such/folder/lut.csv"),
        ("measure", "--provider", "NoSuchProvider"),
        ("measure", "--resolution", "225"),
        ("bench", "--model", "deit-smal"),
        ("frobnicate",),
        ("--no-such-option",),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence_and_code_2(run, tmp_path, monkeypatch, arguments) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run(*arguments)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(run) -> None:
    answer = run("--debug", "predict", "--table", "missing.csv", "--model", "deit-small")
    assert answer.code == 2
    assert "Traceback" in answer.err


def test_json_of_devices_and_models(run) -> None:
    devices = {device["name"]: device for device in run("devices", "--json").json["devices"]}
    assert devices["cpu"]["here"] is True
    assert devices["t4"]["here"] is False
    assert "T4" in devices["t4"]["why_not"]
    assert "t4" in run("devices").out
    models = {model["model"]: model for model in run("models", "--json").json["models"]}
    assert models["deit-tiny"]["params"] == 5717416


def test_models_are_searched_by_a_part_of_their_name(run) -> None:
    found = run("models", "--search", "patch32_siglip", "--json").json
    assert [model["model"] for model in found["models"]] == ["vit_base_patch32_siglip_gap_256"]
    assert found["models"][0]["params"] == 87465216
    assert found["lacking"] == [
        {
            "model": "vit_base_patch32_siglip_256",
            "lacks": "pools by attention, which vitprof's ViT has not",
        }
    ]
    assert "pools by attention" in run("models", "--search", "patch32_siglip").out
    nothing = run("models", "--search", "vit_smaal_patch16")
    assert nothing.code == 2
    assert "vit_small_patch16" in nothing.err


def test_a_fault_of_the_disk_that_no_command_expects_is_one_sentence(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitprof.verbs import devices

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/there/log")

    monkeypatch.setattr(devices, "devices", full)
    answer = run("devices")
    assert answer.code == 2
    assert answer.err.startswith("vitprof: /there/log: No space left on device;")
    assert "Traceback" not in answer.err
    assert "Traceback" in run("--debug", "devices").err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_an_interruption(
    number: signal.Signals, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitprof.verbs import devices

    left = []

    def waits(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(number)
        finally:
            left.append("clean")

    monkeypatch.setattr(devices, "devices", waits)
    # nohup, say, has one of them ignored; that is left so.
    outside = signal.signal(number, signal.SIG_DFL)
    try:
        answer = run("devices")
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, outside)
    assert (answer.code, answer.err.strip()) == (130, "vitprof: interrupted.")
    assert left == ["clean"]


def test_an_interrupted_command_that_can_continue_says_so(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitprof.verbs import pipeline

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "pipeline", interrupted)
    (tmp_path / "once.toml").write_text("")
    answer = run("pipeline", "--config", tmp_path / "once.toml", "--out", tmp_path / "out")
    assert answer.code == 130
    assert answer.err.strip() == "vitprof: interrupted; the same command continues it."


def test_a_limit_of_memory_holds_for_the_command_alone(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VITPROF_MEMORY_LIMIT", raising=False)
    asked = ("bench", "--model", "deit-small", "--sessions", "1", "--runs", "1")
    answer = run("--memory-limit", "1MB", *asked)
    assert answer.code in (1, 2)
    assert "of memory, more than" in answer.err and "VITPROF_MEMORY_LIMIT" in answer.err
    assert "VITPROF_MEMORY_LIMIT" not in os.environ
    answer = run("--memory-limit", "much", "devices")
    assert answer.code == 2
    assert answer.err.startswith("vitprof: --memory-limit: 'much'")
    assert "VITPROF_MEMORY_LIMIT" not in os.environ


ENDING = """
import atexit, sys, time
from vitprof.cli.main import main
atexit.register(time.sleep, 60)
atexit.register(print, "ending", flush=True)
sys.argv = ["vitprof", "--version"]
main()
"""


def test_an_interruption_while_python_ends_is_no_traceback() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", ENDING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert [child.stdout.readline() for _ in range(2)][1] == "ending\n"
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGINT
    assert said == ""
