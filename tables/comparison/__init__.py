"""MACs against latency, a table against its rivals, devices against each other."""
