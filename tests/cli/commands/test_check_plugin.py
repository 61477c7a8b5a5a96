"""vitprof check-plugin: a line a promise, and an exit code."""

from __future__ import annotations


def test_kept_promises_are_listed(run) -> None:
    answer = run("check-plugin", "cpu")
    assert answer.code == 0, answer.err
    first, *others, last = answer.out.splitlines()
    assert first.startswith("ok: it is imported")
    assert all(line.startswith("ok: ") for line in others)
    assert (
        last == f"device 'cpu': {len(others) + 1} of {len(others) + 1} promises are kept, 0 broken."
    )


def test_a_broken_one_makes_the_exit_code_1(run, install_wheel) -> None:
    install_wheel("bad", {"vitprof.backends": {"bad": "bad_backend:BAD"}}, bad_backend="BAD = 3")
    answer = run("check-plugin", "bad")
    assert answer.code == 1
    assert answer.out.startswith("broken: it is imported")
    assert "'bad_backend:BAD' is not a BackendKind" in answer.out
    assert run("check-plugin", "bad", "--json").json["checked"][0]["broken"] == 1


def test_an_unknown_one_is_the_users_mistake(run) -> None:
    answer = run("check-plugin", "nothing-like-it")
    assert (answer.code, answer.is_one_sentence) == (2, True)
