"""Small spaces of each family."""

from .small_spaces import small_autovit_fixture, small_fixture  # noqa: F401
