"""MobileNetV2 as a graph from YAML, with weights from a file, names what is in a picture."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image

from dlrun.architectures import graph
from dlrun.compose import CONFIGS
from dlrun.contracts import DataSpec, InputSpec, TargetSpec

SIZE = 224  # pixels


def best(mirror: Path, picture: str, most: int = 3) -> list[tuple[str, float]]:
    """The likeliest classes of a picture in the mirror's `images/`, with their probabilities."""
    arguments = yaml.safe_load((CONFIGS / "architecture" / "graph_mobilenet_v2.yaml").read_text(encoding="utf-8"))
    del arguments["name"]
    arguments["weights"] = str(mirror / "weights" / "mobilenet_v2.safetensors")
    spec = DataSpec({"image": InputSpec((SIZE, SIZE, 3))}, {"class": TargetSpec("multiclass", 1000)})
    model = graph.build(spec, **arguments).eval()
    image = Image.open(mirror / "images" / picture).convert("RGB").resize((SIZE, SIZE))
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 127.5 - 1.0)  # what the weights were learned on
    with torch.no_grad():
        scores = model({"image": pixels[None]})["class"][0]
    classes = json.loads((mirror / "weights" / "imagenet_class_index.json").read_text(encoding="utf-8"))
    return [(classes[str(int(i))][1], float(scores[i])) for i in scores.argsort(descending=True)[:most]]


if __name__ == "__main__":
    for name, score in best(Path(os.environ["DLRUN_MIRROR"]), "creative_commons_elephant.jpg"):
        print(f"{score:.3f}  {name}")
