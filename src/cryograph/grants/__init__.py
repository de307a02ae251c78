"""Ops that touch files: rules for the reference engine, which run only where the caller grants them by name."""
