"""Floor 6: from a document to what runs: pruned, functions inlined, control flow structured, state explicit."""
