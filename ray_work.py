"""Parts of a work that the workers of Ray do side by side: on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .errors import UserError

# Nodes may come and go; what has ended so many workers would end the next one too.
MOST_WORKERS_LOST = 10
# What a worker process was given, by the object's name: fetched once, used for all its parts.
_AT_HAND: dict[str, Any] = {}


class RayWork:
    """Does `work(shared, part)` for many parts, each in some worker of `ray`.

    shared: what every part needs, sent to a worker once. A worker takes one processor, or one GPU.
    What a lost worker had in hand is done by another one; nothing is counted twice. An error that
    `work` raises is raised here.
    """

    def __init__(
        self, ray: Any, work: Callable[[Any, Any], Any], shared: Any, on_gpu: bool
    ) -> None:
        self._ray = ray
        self._work = work
        self._at = ray.put(shared)
        # Tried again where a worker dies; an error of the work itself is raised.
        self._do = ray.remote(num_cpus=1, num_gpus=int(on_gpu), max_retries=MOST_WORKERS_LOST)(
            _done
        )

    def answers(self, parts: Iterable[Any], what: str, remedy: str) -> Iterator[tuple[int, Any]]:
        """Yield the place and the answer of each part, whichever is done first.

        Raises UserError, with `what` ended the workers and a `remedy`, where one part ends worker
        after worker.
        """
        ray, lost = self._ray, self._ray.exceptions
        # In a list the reference stays one: Ray would fetch the object for every call.
        waiting = {
            self._do.remote([self._at], self._work, part): place for place, part in enumerate(parts)
        }
        while waiting:
            # In short waits: Ray does not hear Ctrl-C within one.
            came, _ = ray.wait(list(waiting), num_returns=1, timeout=1.0)
            for one in came:
                try:
                    answer = ray.get(one)
                except (
                    lost.WorkerCrashedError,
                    lost.NodeDiedError,
                    lost.OutOfMemoryError,
                ) as error:
                    reason = " ".join(str(error).split())[:200]
                    raise UserError(
                        f"{what} ended {MOST_WORKERS_LOST + 1} Ray workers one after another "
                        f"({reason}); what was done before is kept. {remedy}."
                    ) from None
                yield waiting.pop(one), answer


def _done(holder: list[Any], work: Callable[[Any, Any], Any], part: Any) -> Any:
    import ray

    (reference,) = holder
    name = reference.hex()
    if name not in _AT_HAND:
        _AT_HAND.clear()
        _AT_HAND[name] = ray.get(reference)
    return work(_AT_HAND[name], part)
