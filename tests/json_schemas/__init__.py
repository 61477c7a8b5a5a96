"""What commands print with --json, held against the schemas that vitprof ships."""
