"""Floor 2: the document in memory: nodes, graphs, functions, variables, signatures. Data and relations, no I/O."""
