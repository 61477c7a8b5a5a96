"""Where something was measured, and that nothing else measures there."""
