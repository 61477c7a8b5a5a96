"""`vitprof measure --ray` for real: two nodes of a Ray cluster that measure this machine's CPU."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from vitprof import ray_connection
from vitprof.tables import LatencyTable

pytestmark = pytest.mark.slow

FEW = (
    "--model",
    "vit-micro-8",
    "--sessions",
    "1",
    "--whole-models",
    "3",
    "--grid",
    "embed=32,64;attention.heads=2;attention.qk=16;attention.v=16;mlp.mlp=64",
)
DONE = (0, 1)  # a busy machine may call points unstable


def test_two_nodes_measure_a_table_that_predicts(run, ray_nodes, tmp_path) -> None:
    ray_nodes.add("a", "b")
    path = tmp_path / "fleet.csv"
    answer = run("measure", *FEW, "--ray", ray_nodes.address, "--out", path, "--json")
    assert answer.code in DONE, answer.err
    assert answer.json["points"] == 8, "and nothing but one object on stdout"
    assert answer.json["failed"] == []
    table = LatencyTable.read_csv(path)
    assert (len(table.block_rows), len(table.model_rows)) == (8, 3)
    assert max(Counter(row.key for row in table.rows).values()) == 1
    assert {row.sessions for row in table.block_rows} <= {1, 2, 3}
    assert table.calibration is not None
    assert table.setting.provider == "CPUExecutionProvider"
    assert table.environment["machine"]["cpu"]
    nodes = {ray_nodes.id_of(name)[:8] for name in "ab"}
    assert {share["node"] for share in table.header.fleet} <= nodes
    ask = ("predict", "--table", path, "--model", "vit-micro-8", "--extrapolate", "--json")
    assert run(*ask).json["latency_ms"] > 0
    # What it says of the machine is what this machine says of itself.
    before = path.read_text().splitlines()[3:]
    assert run("measure", *FEW, "--out", path, "--json").code in DONE
    after = path.read_text().splitlines()[3:]
    assert [line.rsplit(",", 1)[1] for line in after] == [line.rsplit(",", 1)[1] for line in before]


@pytest.mark.timeout(900)
def test_a_machine_outside_the_cluster_measures_through_a_client(
    run, new_ray_cluster, closed_port, tmp_path, monkeypatch
) -> None:
    # How soon Ray's server starts a client's process is not what is tested.
    monkeypatch.setattr(ray_connection, "SECONDS_TO_ANSWER", 300.0)
    new_ray_cluster(head={"vitprof:cpu": 1}, client_port=closed_port)
    wait_until_open(closed_port)
    path = tmp_path / "lut.csv"
    answer = run("measure", *FEW, "--ray", f"ray://127.0.0.1:{closed_port}", "--out", path)
    assert answer.code in DONE, answer.err
    assert len(LatencyTable.read_csv(path).block_rows) == 8


def wait_until_open(port: int) -> None:
    while ray_connection.why_closed(f"127.0.0.1:{port}"):
        time.sleep(0.1)


def test_a_fleet_refines_where_interpolation_errs(run, ray_nodes, tmp_path) -> None:
    ray_nodes.add("a")
    path = tmp_path / "refined.csv"
    arguments = [*FEW[:-1], FEW[-1].replace("mlp.mlp=64", "mlp.mlp=64,256"), "--points", "16"]
    answer = run("measure", *arguments, "--ray", ray_nodes.address, "--out", path, "--json")
    assert answer.code in DONE, answer.err
    assert 10 < answer.json["points"] <= 16


def test_devices_that_the_cluster_lacks_are_named(run, ray_nodes, tmp_path) -> None:
    ray_nodes.add("a")
    path = tmp_path / "t4.csv"
    answer = run("measure", "--device", "t4", "--ray", ray_nodes.address, "--out", path)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in ("no node with accelerator_type:T4", "vitprof:cpu", "ray start"):
        assert word in answer.err
    assert not path.exists()


def test_a_table_of_another_machine_is_not_gone_on_with(run, ray_nodes, tmp_path, measured) -> None:
    ray_nodes.add("a")
    path, _ = measured
    cpu = LatencyTable.read_csv(path).environment["machine"]["cpu"]
    path.write_text(path.read_text().replace(cpu, "Some Other CPU"))
    before = path.read_bytes()
    answer = run("measure", *FEW, "--ray", ray_nodes.address, "--out", path)
    assert answer.code == 2
    assert "was measured under another environment (machine.cpu" in answer.err
    assert path.read_bytes() == before


# --- addresses -----------------------------------------------------------------------------------


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def assert_refused(answer, tmp_path: Path, *words: str) -> None:
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in words:
        assert word in answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_closed_port_is_one_sentence(scheme, run, closed_port, tmp_path) -> None:
    address = f"{scheme}127.0.0.1:{closed_port}"
    answer = run("measure", "--ray", address, "--out", tmp_path / "lut.csv")
    assert_refused(answer, tmp_path, address, "refused", "ray start --head")


@pytest.fixture
def cluster_with_a_token(closed_port: int, tmp_path_factory, monkeypatch) -> Iterator[str]:
    """The address of a cluster that answers only those who have its token."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # short, for Ray keeps sockets there
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    given = (f"--port={closed_port}", "--num-cpus=1", "--include-dashboard=false")
    head = subprocess.Popen(
        [*command, *given, "--node-ip-address=127.0.0.1", "--disable-usage-stats"],
        env={**os.environ, **token, "RAY_TMPDIR": folder},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until_open(closed_port)
    for name in token:  # nor does the home of this user have one
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    yield f"127.0.0.1:{closed_port}"
    head.terminate()  # with what it started
    try:
        head.wait(60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(head.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_cluster_that_asks_for_a_token_says_how_to_give_it(
    run, cluster_with_a_token, tmp_path, monkeypatch
) -> None:
    address = cluster_with_a_token
    answer = run("measure", "--ray", address, "--out", tmp_path / "lut.csv")
    assert_refused(answer, tmp_path, address, "asks for its token", "RAY_AUTH_MODE=token")


HASTY = """
import sys
from vitprof import ray_connection
from vitprof.cli.main import main
ray_connection.SECONDS_TO_ANSWER = 3.0
main(sys.argv[1:])
"""


def test_an_address_that_never_answers_is_given_up_in_bounded_time(silent_port, tmp_path) -> None:
    """Left to itself Ray tries for minutes, and prints; in the end it ends its process.

    So this is a process of its own.
    """
    assert ray_connection.SECONDS_TO_CONNECT + ray_connection.SECONDS_TO_ANSWER < 90
    address = f"127.0.0.1:{silent_port}"
    command = [sys.executable, "-c", HASTY, "measure", "--ray", address]
    command += ["--out", str(tmp_path / "lut.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert address in done.stderr and "within 3 s" in done.stderr
    assert not (tmp_path / "lut.csv").exists()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "local",
        "host",
        "host:",
        ":1",
        "host:0",
        "host:65536",
        "host:x",
        "http://host:1",
        "ray://host",
        "a b:1",
        "host:1/x",
    ],
)
def test_what_is_no_address_is_refused_at_once(address, run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ray_connection.socket, "create_connection", pytest.fail)
    answer = run("measure", "--ray", address, "--out", tmp_path / "lut.csv")
    assert_refused(answer, tmp_path, f"'{address}' is not the address of a Ray cluster", "auto")


def test_without_ray_it_is_said_how_to_install_it(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    answer = run("measure", "--ray", "auto", "--out", tmp_path / "lut.csv")
    assert_refused(answer, tmp_path, "pip install 'vitprof[ray]'")


def test_a_bundle_is_measured_where_it_lies(run, tmp_path) -> None:
    answer = run("measure", "--ray", "auto", "--bundle", "b.zip", "--out", tmp_path / "lut.csv")
    assert_refused(answer, tmp_path, "--bundle", "--ray")


# --- the head ------------------------------------------------------------------------------------


def test_a_lost_head_is_said_and_what_was_told_is_kept(new_ray_cluster, tmp_path) -> None:
    """In a process of its own: Ray ends the one whose head stays away."""
    cluster = new_ray_cluster(head={"vitprof:cpu": 1})
    path = tmp_path / "lut.csv"
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "vitprof",
            "measure",
            *FEW,
            "--sessions",
            "99",
            "--ray",
            cluster.address,
            "--out",
            path,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not path.exists() or path.read_text().count(",partial,") < 11:
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        (head,) = cluster.cluster.head_node.all_processes["gcs_server"]
        head.process.kill()
        assert child.stderr is not None
        for line in child.stderr:
            if "the head of the Ray cluster does not answer" in line:
                break
        else:
            pytest.fail("the head is gone and nobody says so")
    finally:
        child.kill()
        child.communicate()
    table = LatencyTable.read_csv(path)
    assert table.unfinished
    assert path.read_text().count(",partial,") >= 11
