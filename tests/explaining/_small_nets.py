"""Small nets to look into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dlrun.architectures import graph
from dlrun.contracts import DataSpec, InputSpec, Rows, TargetSpec
from dlrun.explaining._subject import Subject
from dlrun.graphs.summary import network_of

CONV = {"name": "conv2d", "filters": 6, "kernel_size": 3, "activation": "relu"}
PLAIN = {"conv": CONV, "pool": "max_pooling2d", "deep": {**CONV, "filters": 20, "activation": "tanh"}, "mean": "global_average_pooling2d",
         "answer": "output"}  # fmt: skip
MANY = TargetSpec("multiclass", 4, labels=("cat", "dog", "red crane", "crane"))


def subject(
    layers: Any = PLAIN, target: TargetSpec = MANY, shape: Any = (12, 16, 3), inputs: Any = ("image",)
) -> Subject:
    """A net with drawn weights; what is typed is the seed of its picture."""
    spec = DataSpec({name: InputSpec(shape, divide_by=255.0) for name in inputs}, {"class": target})
    torch.manual_seed(0)
    model = graph.build(spec, layers=layers).eval().requires_grad_(False)
    network = network_of(model)
    assert network is not None

    def encode(raw: str) -> Rows:
        generator = torch.Generator().manual_seed(int(raw))
        drawn = {name: torch.randint(256, (1, *shape), generator=generator, dtype=torch.uint8) for name in inputs}
        return Rows(drawn, {})

    return Subject("net", model, network, spec, encode, True, Path("out"), torch.device("cpu"), torch.float32)


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
        return picture.size
