"""Graphs from the catalogue's YAML, and what they are compared with."""

from __future__ import annotations

from typing import Any

import torch
import yaml
from torch import nn

from dlrun.architectures import graph
from dlrun.compose import CONFIGS
from dlrun.contracts import DataSpec, InputSpec, TargetSpec


def net(name: str, size: int, classes: int = 1000, **arguments: Any) -> nn.Module:
    """`architecture=graph_<name>` for square pictures."""
    plain = yaml.safe_load((CONFIGS / "architecture" / f"graph_{name}.yaml").read_text(encoding="utf-8"))
    del plain["name"]
    spec = DataSpec(
        {"image": InputSpec((size, size, 3))}, {"class": TargetSpec("multiclass", classes)}
    )  # fmt: skip
    return graph.build(spec, **plain | arguments)


class Stem(nn.Module):
    """torchvision's Inception V3 up to its first mixed block, then pooled."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import inception_v3

        whole = inception_v3(init_weights=False, transform_input=False)
        for name in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3",
                     "maxpool2", "Mixed_5b"):  # fmt: skip
            self.add_module(name, getattr(whole, name))
        self.fc = nn.Linear(256, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *body, last = self.children()
        for layer in body:
            x = layer(x)
        return last(x.mean((2, 3)))


def theirs(name: str) -> nn.Module:
    """torchvision's net with weights and statistics that are not those of a beginning."""
    import torchvision

    made = Stem() if name == "inception_v3_stem" else getattr(torchvision.models, name)(weights=None)
    for key, tensor in made.state_dict().items():
        if "running" in key:
            tensor.uniform_(0.5, 1.5)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            tensor.add_(torch.randn_like(tensor) * 0.1)
    return made
