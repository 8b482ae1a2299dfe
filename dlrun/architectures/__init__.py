"""Models by name. `build(spec, *, ...) -> nn.Module` maps inputs by name to outputs by name.

For a target `t` the outputs hold `t`, the prediction, and `t_logits`, the value before the last activation.
The module has `output_activations: dict[str, str]`, target to last activation; one whose layers can't be
stacked under `torch.vmap` has `unstackable: str`, the reason.
"""
