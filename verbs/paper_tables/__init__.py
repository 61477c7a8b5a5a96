"""Results as tables with the columns of the papers, in CSV, Markdown or LaTeX."""
