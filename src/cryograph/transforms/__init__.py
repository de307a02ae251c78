"""Floor 5: documents become documents. One transform a file; none changes what it is given."""
