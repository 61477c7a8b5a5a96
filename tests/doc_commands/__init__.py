"""The command lines that README.md and docs/ print: found, parsed, and run with small settings."""
