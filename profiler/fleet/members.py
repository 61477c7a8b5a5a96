"""The workers of a fleet: started where Ray finds the device, admitted only if they are alike."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import __version__
from ...backends import find_device
from ...errors import UserError
from ...tables import Setting
from ...tables.csv_format import read_table_file
from ...tables.difference import first_difference
from .nodes import Wish, count_devices
from .worker import FleetWorker, OpenBackend

SECONDS_TO_START = 60.0
SECONDS_TO_CLOSE = 10.0


@dataclass(frozen=True, eq=False)
class Member:
    """A worker that can measure: its node, what it measures and in, and what it saw there."""

    actor: Any
    node: str
    name: str
    setting: Setting
    environment: dict[str, Any]
    seen: dict[str, Any]

    @property
    def kind(self) -> tuple[Setting, str]:
        """What has to be equal for two members to measure one table."""
        return self.setting, json.dumps(self.environment, sort_keys=True)

    def difference(self, other: Member) -> str:
        """Return in words where two members' kinds differ, "" where they do not."""
        return self.setting.difference(other.setting) or first_difference(
            self.environment, other.environment
        )


class Members:
    """Starts one worker a device; `present` are those that can measure. Close it in the end."""

    def __init__(self, ray: Any, on_note: Callable[[str], None]) -> None:
        self.present: list[Member] = []
        self._ray = ray
        self._on_note = on_note

    def start(self, setting: Setting, what: str, open_backend: OpenBackend) -> None:
        """Ask Ray for a worker on every device of the cluster, and take in those that come.

        Raises UserError, with the reasons, where none can measure; `on_note` gets a sentence
        for each of the others.
        """
        device = find_device(setting.device)
        wish = Wish.of(device, setting.threads)
        count = count_devices(self._ray.nodes(), wish, device)
        workers = self._ray.remote(FleetWorker).options(**wish.options())
        actors = [workers.remote(open_backend) for _ in range(count)]
        introduced = {
            actor.introduce.remote(__version__, setting.as_dict(), what): actor for actor in actors
        }
        refusals: list[str] = []
        try:
            late = self._admit_all(introduced, wish, refusals)
        finally:
            taken = [member.actor for member in self.present]
            self._end([actor for actor in actors if actor not in taken])
        if late:
            refusals.append(
                f"on {late} of the cluster's {count} devices no worker started within "
                f"{SECONDS_TO_START:.0f} s: other work of the cluster has {wish}, or a node is gone"
            )
        reasons = [reason.rstrip(".") for reason in dict.fromkeys(refusals) if reason]
        if not self.present:
            raise UserError(
                f"no node of the Ray cluster can measure '{device.name}' now: {'; '.join(reasons)}."
            )
        for reason in reasons:
            self._on_note(f"not used: {reason}.")

    def _admit_all(self, introduced: dict[Any, Any], wish: Wish, refusals: list[str]) -> int:
        """Take in who comes, put down who cannot measure; return how many did not come in time.

        Ray takes some seconds to notice that a node is gone: nobody is waited for from there.
        """
        ends = time.monotonic() + SECONDS_TO_START
        late, answered = list(introduced), 0
        while late and time.monotonic() < ends:
            if answered >= sum(wish.devices_of(node) for node in self._ray.nodes()):
                return 0
            came, late = self._ray.wait(late, num_returns=1, timeout=1.0)
            for answer in came:
                try:
                    introduction = self._ray.get(answer)
                except self._ray.exceptions.RayError as error:
                    refusals.append(f"a node on which no worker starts: {last_words(error)}")
                    continue
                answered += 1
                refusals.append(self._admit(introduced[answer], introduction))
        return len(late)

    def _admit(self, actor: Any, introduction: Mapping[str, Any]) -> str:
        """Take a worker in; return why not, "" where it is in."""
        name = f"node {introduction['address']} ({introduction['node'][:8]})"
        if "refused" in introduction:
            return f"{name}: {introduction['refused']}"
        for note in introduction["notes"]:
            self._on_note(f"{name}: {note}")
        member = Member(
            actor,
            introduction["node"],
            name,
            Setting(**introduction["setting"]),
            introduction["environment"],
            introduction["observed"],
        )
        self.present.append(member)
        return ""

    def keep_alike(self, out: Path, fresh: bool) -> Member:
        """Keep those that are of one device and runtime, let the others go, and return the first.

        They are those that the table at `out` was begun with, otherwise those of the commonest
        kind.
        """
        kinds = Counter(member.kind for member in self.present)
        first = next(m for m in self.present if m.kind == kinds.most_common(1)[0][0])
        begun_in = None if fresh else _environment_of(out)
        if begun_in is not None:
            alike = [m for m in self.present if not first_difference(begun_in, m.environment)]
            first = alike[0] if alike else first
        others = [member for member in self.present if member.kind != first.kind]
        for other in others:
            self._on_note(
                f"not used: {other.name} differs from {first.name} ({other.difference(first)}), "
                "and a table is of one device and runtime."
            )
            self.present.remove(other)
        self._close(others)
        return first

    def lose(self, member: Member, error: Exception) -> str:
        """Let go of a member whose worker ended; return how in words."""
        self.present.remove(member)
        self._end([member.actor])
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        gone = member.node not in alive or is_silent(error, self._ray.exceptions)
        return "whose worker is gone" if gone else last_words(error)

    def close(self) -> None:
        """End all workers."""
        self._close(self.present)
        self.present = []

    def _close(self, members: list[Member]) -> None:
        """Let workers clean up behind themselves, for a bounded time, and end them."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            closing = [member.actor.close.remote() for member in members]
            if closing:
                self._ray.wait(closing, num_returns=len(closing), timeout=SECONDS_TO_CLOSE)
        self._end([member.actor for member in members])

    def _end(self, actors: list[Any]) -> None:
        for actor in actors:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(actor)


def is_silent(error: Exception, errors: Any) -> bool:
    """Say whether an error tells no more than that a worker's answer is lost.

    Ray takes seconds to tell a node that is dead from a worker that is. An answer that was on its
    way may be lost before that is seen, and Ray then reports an object that is gone: as such, or
    as the text of an exception that it could not read back.
    """
    lost = (errors.ActorUnavailableError, errors.ObjectLostError)
    text = str(error)
    names = ("ObjectLostError", "ReferenceCountingAssertionError", "OwnerDiedError")
    return isinstance(error, lost) or any(f"ray.exceptions.{name}" in text for name in names)


def last_words(error: Exception) -> str:
    """Return the last line of what Ray says of a worker that ended: the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = lines[-1] if lines else type(error).__name__
    return words if len(words) <= 300 else words[:300] + "…"


def _environment_of(out: Path) -> Mapping[str, Any] | None:
    """Return where the table at `out` was begun, None where it tells nothing."""
    if not out.is_file():
        return None
    with contextlib.suppress(UserError):  # what is wrong with it, the journal says
        return read_table_file(out).header.environment
    return None
