"""Floor 4: what ops mean without running them: signatures, dtypes, shapes."""
