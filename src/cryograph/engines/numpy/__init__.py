"""The reference engine: every op plain and correct, by numpy. It also folds constants and hosts the faster engines."""
