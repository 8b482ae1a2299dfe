"""Every layer once, with Keras's semantics: architecture families and graphs share them.

A layer is a file with one function `build(inputs: TensorSpec, *, ...) -> nn.Module`; one that reads several things at
once has `build(inputs: list[TensorSpec], *, ...)`, and its module takes as many arguments. The module has an
attribute `output: TensorSpec` and, where its weights are penalised, a method `penalty()` that returns a scalar.
Pictures and sequences have their channels last.

A layer may be called on inputs of other sizes than it was built for, as long as its weights fit: `forward` reads
sizes from what it is given. Numbers that may differ among models of a stack are named in `settings`, and a layer
that can't be stacked says why in `unstackable` (`stack.py`); one in which rows of a batch feel each other has
`mixes_rows = True`.
"""
