"""Floor 7: programs become answers. One folder an engine; `split` lets several share one program."""
