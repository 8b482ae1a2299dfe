"""Optimizers by name. `build(*, lr, ...) -> contracts.OptimizerSpec`; the arguments have Keras's names.

Each picks torch's fastest form that updates K stacked models exactly as it would update each alone.
"""
