"""The page that `vitprof report` writes: what tables and runs hold, as data, and what shows it."""
