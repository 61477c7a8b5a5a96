"""The exit codes that are more than "something is wrong with the result"."""

from __future__ import annotations

USER_ERROR, INTERRUPTED = 2, 130
