"""Where the nodes that a runtime executes came from: modules, nodes of a file, blocks."""
