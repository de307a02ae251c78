"""Floor 0: errors, dtypes, shapes, tensors and files. Imports nothing of the other floors."""
