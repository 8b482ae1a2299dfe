"""Every layer once, with Keras's semantics: architecture families and graphs share them.

A layer is a file with one function `build(inputs: TensorSpec, *, ...) -> nn.Module`. The module has an
attribute `output: TensorSpec` and, where its weights are penalised, a method `penalty()` that returns a
scalar.
"""
