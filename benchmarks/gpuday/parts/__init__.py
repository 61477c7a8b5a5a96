"""The parts: each module has `run(rig, findings)`, and is imported in its own process only."""
