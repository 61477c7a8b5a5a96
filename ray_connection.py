"""Connecting to a Ray cluster: bounded in time, silent, and one sentence where it fails.

Left to itself, `ray.init` tries an address that does not answer for minutes and prints all the
while. So a child process tries first, and is ended when it takes too long.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import UserError
from .models.checks import shown

SECONDS_TO_CONNECT = 3.0
# A server of clients starts a process for each, which took more than 15 s on a slow machine that
# had not run Ray before; a port that listens and says nothing at all is rare.
SECONDS_TO_ANSWER = 60.0
# Seen on a busy machine: the process that a server of clients starts for each ends at once. Asked
# again, the server starts another.
_TRANSIENT = "Starting Ray client server failed"
_TRIES = 3
_CLUSTERS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_ADDRESS = re.compile(
    r"(?P<client>ray://)?(?P<host>[^\s/:\[\]]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})"
)
# What the child process runs: the last words of a failure go to stdout, on one line.
_TRY = """
import logging, sys
import ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
except Exception as error:
    words = f"{error} {error.__cause__}"
    unknown = "authentication token" in words.lower() or "unauthenticated" in words.lower()
    print("failed:", "not known there" if unknown else " ".join(str(error).split()))
    sys.exit(3)
"""
_UNKNOWN = "not known there"


@contextmanager
def ray_connection(address: str) -> Iterator[Any]:
    """Return the module `ray`, connected to the cluster at `address` inside the block.

    `address` is "auto" (the cluster of this machine, or RAY_ADDRESS), "HOST:PORT" on a machine of
    the cluster, or "ray://HOST:PORT" from anywhere. A process that is connected already uses and
    keeps its connection. Raises UserError for anything that is not an address or does not answer.
    """
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    _check_answers(address)
    if reason := _tried(lambda: _why_no_connection(ray, address)):
        raise _no_answer(address, reason)
    try:
        yield ray
    finally:
        # Nothing that fails while hanging up should hide what went wrong before.
        with contextlib.suppress(Exception):
            ray.shutdown()


@contextmanager
def local_ray(workers: int) -> Iterator[Any]:
    """Return the module `ray` with so many workers on this machine, ended with the block.

    Nothing of it listens beyond the loopback interface. A process that is connected to a cluster
    already uses and keeps its connection.
    """
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    with _on_loopback():
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
        try:
            yield ray
        finally:
            with contextlib.suppress(Exception):
                ray.shutdown()


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Have what Ray starts inside the block listen on the loopback interface alone.

    Its own switch for this is meant for systems whose firewalls ask: without clusters a node has
    the loopback's address, and each of its servers binds to that one. Given as an option, the same
    address is replaced by the machine's.
    """
    from ray._private import ray_constants

    before, clusters = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(_CLUSTERS)
    ray_constants.ENABLE_RAY_CLUSTER = False
    os.environ[_CLUSTERS] = "0"  # for the processes that it starts
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        if clusters is None:
            del os.environ[_CLUSTERS]
        else:
            os.environ[_CLUSTERS] = clusters


def _import_ray() -> Any:
    # Ray prints what happens to nodes on stdout, where only a result may stand; read on import.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
    except ImportError:
        raise UserError(
            "several workers need Ray, which is not installed: pip install 'vitprof[ray]'."
        ) from None
    return ray


def _check_answers(address: str) -> None:
    """Raise UserError unless a Ray cluster answers at the address within a bounded time."""
    if address != "auto" and (reason := why_closed(address)):
        raise _no_answer(address, reason)
    if reason := _tried(lambda: _why_no_child(address)):
        raise _no_answer(address, reason)


def _tried(why_not: Callable[[], str]) -> str:
    """Return why it cannot be done, "" once it can; a transient reason is tried again."""
    for _ in range(_TRIES):
        reason = why_not()
        if _TRANSIENT not in reason:
            break
    return reason


def _why_no_connection(ray: Any, address: str) -> str:
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (OSError, RuntimeError, ValueError, TimeoutError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _why_no_child(address: str) -> str:
    """Return why a child process cannot connect, "" where it can."""
    try:
        answer = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _TRY, address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS_TO_ANSWER,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no Ray cluster spoke within {SECONDS_TO_ANSWER:.0f} s"
    if answer.returncode == 0:
        return ""
    failures = [line for line in answer.stdout.splitlines() if line.startswith("failed: ")]
    return failures[-1].removeprefix("failed: ") if failures else "Ray gave up"


def why_closed(address: str) -> str:
    """Return why nothing listens at "HOST:PORT" or "ray://HOST:PORT"; "" where something does.

    Raises UserError for what is not an address.
    """
    try:
        socket.create_connection(_host_and_port(address), SECONDS_TO_CONNECT).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _host_and_port(address: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise UserError(
            f"{shown(address)} is not the address of a Ray cluster; give auto, HOST:PORT (as ray "
            "start printed it) or ray://HOST:PORT."
        )
    return match["host"].strip("[]"), int(match["port"])


def _no_answer(address: str, reason: str) -> UserError:
    if reason == _UNKNOWN:
        return UserError(
            f"the Ray cluster at {shown(address)} asks for its token: set RAY_AUTH_MODE=token, and "
            "give the token in RAY_AUTH_TOKEN or ~/.ray/auth_token (ray get-auth-token prints it "
            "on the head)."
        )
    words = reason.strip().rstrip(".")
    words = words if len(words) <= 300 else words[:300] + "…"
    return UserError(
        f"no Ray cluster can be used at {shown(address)}: {words}; start one (ray start --head) or "
        "give another --ray address: auto, HOST:PORT on a machine of the cluster, ray://HOST:PORT "
        "from any other."
    )
