"""Metrics by name. `build(spec, *, target=None, ...) -> contracts.Metric`: states that add up over batches.

Nothing leaves the device before `compute`; every `update` works under `torch.vmap`.
"""
