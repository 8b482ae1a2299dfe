"""Blocks of the catalogue that have weights of ImageNet, and torchvision's nets beside them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from dlrun.architectures import graph
from dlrun.contracts import DataSpec, InputSpec, TargetSpec

PARAMETERS = {
    "vgg16": 14_714_688,  # the book's, 5.3.1
    "vgg19": 20_024_384,
    "squeezenet1_1": 722_496,
    "mobilenet_v2": 2_223_872,
    "resnet50": 23_508_032,
    "inception_v3": 21_785_568,
}


def model(name: str, size: int = 40, **said: Any) -> nn.Module:
    """A graph of a backbone called `base`, a mean and an output. said: by the node."""
    spec = DataSpec({"image": InputSpec((size, size, 3))}, {"class": TargetSpec("binary", 2)})
    layers = {"base": {"name": name, **said}, "pooled": "global_average_pooling2d", "answer": "output"}
    return graph.build(spec, layers=layers)


def theirs(name: str) -> nn.ModuleDict:
    """torchvision's layers, with statistics and offsets that are not those of a beginning: what comes before its mean
    under its own names, and a dense layer."""
    from torchvision import models

    if name.startswith("vgg"):  # without the many weights of its dense layers
        body = models.vgg.make_layers(models.vgg.cfgs[{"vgg16": "D", "vgg19": "E"}[name]], batch_norm=False)
        children: dict[str, nn.Module] = {"features": body, "classifier": nn.Sequential(nn.Linear(3, 2))}
    else:
        more = {"init_weights": False, "transform_input": False} if name == "inception_v3" else {}
        children = dict(getattr(models, name)(weights=None, **more).named_children())
    made = nn.ModuleDict(children)
    for key, tensor in made.state_dict().items():
        if "running_var" in key:
            tensor.uniform_(0.5, 1.5)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            tensor.add_(torch.randn_like(tensor) * 0.1)
        elif tensor.ndim == 4:
            nn.init.kaiming_normal_(tensor)
    return made


TOP = ("classifier", "avgpool", "dropout", "fc", "AuxLogits")


def features(other: nn.ModuleDict, x: torch.Tensor) -> torch.Tensor:
    """What torchvision's layers give before the mean: [B, height, width, 3] to [B, height, width, C]."""
    y = x.permute(0, 3, 1, 2)
    for name, layer in other.items():
        y = y if name in TOP else layer(y)
    return y.permute(0, 2, 3, 1)
