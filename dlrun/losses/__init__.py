"""Losses by name. `build(spec, *, target=None) -> contracts.AnyLoss`: one value per row, never reduced.

Cross-entropies read the logits, for accuracy where a probability is near 0 or 1; `_table.check` sees to it
that the last activation is the one they assume.
"""
