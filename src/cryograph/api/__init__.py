"""Floor 9: the public verbs, each a few lines of composition over the floors below."""
