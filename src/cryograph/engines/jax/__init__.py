"""The engine `jax`: whole programs compiled by XLA, with their state, and differentiable."""
