"""Floor 3: one file a format: how it is recognised, read and written."""
