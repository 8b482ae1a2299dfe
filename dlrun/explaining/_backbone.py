"""A pretrained block as the net that is looked into, with the layers that give its classes where they are needed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlrun import device as devices
from dlrun.contracts import Column, DataSpec, InputSpec, Rows, TargetSpec
from dlrun.datasets._files import File, fetch
from dlrun.datasets._image_pixels import decode, reason
from dlrun.errors import ConfigError, DataError, Problem, available, nearest
from dlrun.explaining._subject import Subject
from dlrun.graphs import pretrained
from dlrun.graphs.blocks import Block, Library
from dlrun.graphs.building import Graph
from dlrun.graphs.network import Network
from dlrun.graphs.nodes import read
from dlrun.layers._spec import TensorSpec
from dlrun.layers.image_preprocessing import MODES
from dlrun.seeds import seeded

log = logging.getLogger("dlrun")

IMAGE, CLASS = "image", "class"
NAMES = File(
    "weights",
    "imagenet_class_index.json",
    "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
    "a1e7a966a1f601d39e4b43e119b3e7dd4a2ad3ea08cf69847cbaf021013767bc",
    35_363,
)
"""Index to WordNet's number and name."""

RAW = "raw"
"""Pixels from 0 to 255 as they are: what the book's listing 5-38 gives to VGG16."""


def of_backbone(name: str, weights: str, preprocessing: str, classes: bool, device: str) -> Subject:
    """A block of that name with such weights, see `pretrained.choose`.

    preprocessing: `auto` is what the weights were learned with; a mode of the layer `image_preprocessing`, or `raw`.
    classes: with the layers that give them. Raises ConfigError, and DataError where files can't be had.
    """
    library = Library({}, "")
    block = _block(library, name)
    top = block.top
    if classes and top is None:
        known = [other for other in library.names() if library.get(other).top]
        raise ConfigError(Problem("backbone", f"the classes of '{name}' are not known", available(known)))
    whole = top.imagenet if top else ()
    # A file of the whole net serves for its convolutions, too.
    files = whole if classes else (*block.imagenet, *(one for one in whole if one not in block.imagenet))
    file, mode = _chosen(weights, preprocessing, files)
    size = top.size if top else 224
    read_as = {"mode": "none", "white": 1 / 255} if mode == RAW else {"mode": mode}
    layers: dict[str, Any] = {
        "preprocessing": {"name": "image_preprocessing", **read_as},
        name: {"name": name, "weights": file},
    }
    own = {}
    if classes and top:
        own["classifier"] = {"layers": top.layers}
        layers["classifier"] = {"name": "classifier", "weights": file}
    last = list(layers)[-1]
    problems: list[Problem] = []
    nodes = read(layers, [IMAGE], "backbone", problems)
    graph = Graph(Library(own, "backbone"), "backbone", problems, held_back=[last])
    where = devices.pick(device)
    with seeded(0):
        network, _ = graph.build(nodes, {IMAGE: TensorSpec((size, size, 3))}, [last])
    if network is None:
        raise ConfigError([_said_by_us(problem) for problem in problems])
    model = Pretrained(network, classes).to(where).eval().requires_grad_(False)
    targets = {CLASS: TargetSpec("multiclass", 1000, labels=names())} if classes else {}
    spec = DataSpec({IMAGE: InputSpec((size, size, 3), divide_by=255.0)}, targets)
    body = network.get_submodule(name)
    assert isinstance(body, Network)
    said = "weights drawn at random" if file == pretrained.NONE else Path(file).name

    def encode(raw: str) -> Rows:
        try:
            pixels = decode(Path(raw), (size, size), "rgb", "nearest")  # as the book's Keras
        except (OSError, ValueError) as error:
            raise DataError(f"expected the path of a picture file, received {raw!r}: {reason(error)}") from None
        return Rows({IMAGE: torch.from_numpy(pixels.copy())[None]}, {})

    title = f"{name} · {said}"
    return Subject(title, model, body, spec, encode, True, Path("explain") / name, where, torch.float32)


class Pretrained(nn.Module):
    """The graph as an architecture: of pictures from 0 to 1 [B, height, width, 3] the classes and their logits
    [B, 1000], or nothing where it has no classes."""

    def __init__(self, network: Network, classes: bool):
        super().__init__()
        self.network, self.classes = network, classes

    def forward(self, inputs: Mapping[str, Column]) -> dict[str, Tensor]:
        """By name."""
        logits = self.network(inputs[IMAGE])
        return {CLASS: logits.softmax(-1), f"{CLASS}_logits": logits} if self.classes else {}


def names() -> tuple[str, ...]:
    """Of ImageNet's classes; without the file none."""
    try:
        found = json.loads(fetch(NAMES, otherwise="go on: classes are then called by their index").read_bytes())
    except DataError as error:
        log.warning("the names of the classes are not known. %s", error)
        return ()
    return tuple(found[str(index)][1] for index in range(len(found)))


def _block(library: Library, name: str) -> Block:
    known = [other for other in library.names() if library.get(other).imagenet]
    if name not in library.names():
        hint = f"{nearest(name, known)} {available(known)}".strip()
        raise ConfigError(Problem("backbone", f"no backbone is called '{name}'", hint))
    if name not in known:
        raise ConfigError(Problem("backbone", f"block '{name}' knows no weights of ImageNet", available(known)))
    return library.get(name)


def _said_by_us(problem: Problem) -> Problem:
    """With the command's key."""
    if problem.path == "backbone.classifier.weights":
        return replace(problem, path="weights", hint="classes need a file of the whole net, with its last layers")
    return replace(problem, path="weights") if problem.path.endswith(".weights") else problem


def _chosen(weights: str, preprocessing: str, files: tuple[pretrained.Pinned, ...]) -> tuple[str, str]:
    """The file, or `none`, and how pixels are to be prepared. A file of the user's that is called like one that we know
    is taken for it."""
    modes = ["auto", *MODES, RAW]
    if preprocessing not in modes:
        hint = f"{nearest(preprocessing, modes)} {available(modes)}".strip()
        raise ConfigError(Problem("preprocessing", f"no mode '{preprocessing}'", hint))
    own = Path(weights).expanduser()
    if own.is_file():
        known = next((one.preprocessing for one in files if one.file.name == own.name), None)
        chosen = pretrained.Chosen(own.resolve(), known)  # a path is never taken for one of the known names
    else:
        chosen = pretrained.choose(weights, files, "weights")
    mode = chosen.preprocessing if preprocessing == "auto" else preprocessing
    if mode is None:
        message = f"'auto' is impossible: what pixels {weights} was learned on is not known"
        raise ConfigError(Problem("preprocessing", message, f"say one: {', '.join(modes[1:])}"))
    return str(chosen.file or pretrained.NONE), mode
