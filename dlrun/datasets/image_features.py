"""What a pretrained convnet makes of the pictures of another dataset, computed once (section 5.3.1)."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dlrun import registry
from dlrun.arguments import bound
from dlrun.contracts import Data, Dataset, DataSpec, InputSpec, Rows
from dlrun.datasets._cache import encoded
from dlrun.datasets._files import Source
from dlrun.errors import ConfigError, Problem
from dlrun.graphs.backbone import AnyMode, Pooling, backbone, keys
from dlrun.graphs.blocks import Library
from dlrun.graphs.building import Graph
from dlrun.graphs.network import Network
from dlrun.graphs.nodes import read
from dlrun.layers._spec import TensorSpec
from dlrun.seeds import seeded
from dlrun.types import Count

log = logging.getLogger("dlrun")

ENCODING = 1  # raise when the features of the same pictures change
FEATURES, LAST = "features", "pooling"
SEED = 0
"""Of weights that are drawn: where none were asked for, and for sample data."""

SECONDS = 30.0  # between two words on how far it is


@dataclass
class ImageFeatures:
    """See contracts.Dataset. `features`: float32 [N, maps], or [N, height · width · maps] of flattened maps, which lie
    as in Keras; targets are those of the pictures."""

    pictures: Dataset
    described: dict[str, Any]
    name: str
    weights: str
    preprocessing: AnyMode
    pooling: Pooling
    batch_size: int

    @cached_property
    def spec(self) -> DataSpec:
        """The backbone is built without memory. Raises ConfigError and DataError."""
        with torch.device("meta"):
            encoder = self._encoder()
        (given,) = encoder.outputs.values()
        return DataSpec({FEATURES: InputSpec(given.shape)}, self.pictures.spec.targets, self.pictures.spec.rows)

    @property
    def fingerprint(self) -> str:
        """Changes with the pictures, where these are the user's, and with the weights."""
        with torch.device("meta"):
            weights = _fingerprint(self._encoder())
        return json.dumps([self.described, getattr(self.pictures, "fingerprint", None), weights], sort_keys=True)

    def resolve_source(self) -> Literal["real", "sample"]:
        """That of the pictures."""
        return self.pictures.resolve_source()

    def load(self) -> Data:
        """Encodes all pictures, or maps what was encoded before. Raises DataError."""
        data, tensors = self._data, self._features
        train = Rows({FEATURES: tensors["train"]}, data.train.targets, data.train.weights)
        test = Rows({FEATURES: tensors["test"]}, data.test.targets) if data.test else None
        return replace(data, spec=replace(self.spec, rows=data.spec.rows), train=train, test=test)

    def encode(self, raw: str) -> Rows:
        """What the dataset of pictures reads, such as the path of a picture file."""
        rows = self.pictures.encode(raw)
        return Rows({FEATURES: self._encoded(rows)}, rows.targets)

    def describe(self, data: Data, part: str, row: int) -> str:
        """As of the picture."""
        return self.pictures.describe(self._data, part, row)

    @cached_property
    def _data(self) -> Data:
        return self.pictures.load()

    @cached_property
    def _features(self) -> Mapping[str, Tensor]:
        data = self._data
        parts = {name: rows for name, rows in (("train", data.train), ("test", data.test)) if rows is not None}
        digest = hashlib.sha256()
        for rows in parts.values():
            digest.update(_only(rows).contiguous().numpy().data)
        with torch.device("meta"):
            encoder = self._encoder()
        made = [(layer.name, layer.written) for layer in encoder.nodes]
        key = {
            "encoding": ENCODING,
            "pictures": [digest.hexdigest(), *(_only(rows).shape for rows in parts.values())],
            "layers": json.dumps(made),
            "weights": _fingerprint(encoder) or f"drawn {SEED}",
        }
        return encoded("image_features", key, lambda: {name: self._encoded(rows) for name, rows in parts.items()})

    def _encoder(self) -> Network:
        """From pictures as a loader gives them to vectors."""
        spec = replace(self.pictures.spec, sample=self.resolve_source() == "sample")
        layers = backbone(spec, self.name, self.weights, self.preprocessing, self.pooling, "dataset")
        problems: list[Problem] = []
        nodes = read(layers, list(spec.inputs), "dataset", problems)
        inputs = {name: TensorSpec.of(given) for name, given in spec.inputs.items()}
        with seeded(SEED):
            graph = Graph(Library({}, ""), "dataset", problems, sample=spec.sample)
            network, _ = graph.build(nodes, inputs, [LAST])
        if network is None:
            raise ConfigError([_placed(problem, keys(self.name, "dataset")) for problem in problems])
        return network.eval()

    @cached_property
    def _made(self) -> nn.Module:
        return self._encoder().to(_device())

    def _encoded(self, rows: Rows) -> Tensor:
        pictures, given = _only(rows), next(iter(self.pictures.spec.inputs.values()))
        if len(pictures) > 1:
            log.info("features of %s pictures by %s, once: they are kept", f"{len(pictures):,}", self.name)
        found, said = [], time.monotonic()
        with torch.no_grad():
            for first in range(0, len(pictures), self.batch_size):
                batch = pictures[first : first + self.batch_size].to(_device()).float().div_(given.divide_by)
                found.append(self._made(batch).cpu())
                if time.monotonic() - said > SECONDS:
                    log.info("features: %s of %s pictures", f"{first + len(batch):,}", f"{len(pictures):,}")
                    said = time.monotonic()
        return torch.cat(found)


def _only(rows: Rows) -> Tensor:
    (column,) = rows.inputs.values()
    assert isinstance(column, Tensor)
    return column


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _fingerprint(encoder: nn.Module) -> str | None:
    return next((text for part in encoder.modules() if (text := getattr(part, "fingerprint", None))), None)


def _placed(problem: Problem, known: Mapping[str, str]) -> Problem:
    """With the argument that a layer is from."""
    layer, dot, rest = problem.path.removeprefix("dataset.").partition(".")
    return replace(problem, path=f"{known[layer]}{dot}{rest}") if layer in known else problem


def build(
    *,
    source: Source = "real",
    of: dict[str, Any] | None = None,
    backbone: str = "vgg16",
    weights: str = "imagenet",
    preprocessing: AnyMode = "auto",
    pooling: Pooling = "flatten",
    batch_size: Count = 32,
) -> ImageFeatures:
    """Features of the pictures of another dataset, for any dense head: a convnet runs once over each, and not in every
    epoch. So pictures can't be augmented; `architecture=pretrained` can do that.

    of: name and arguments of a dataset of pictures in colour; what is left out is as in its YAML. The other arguments
    are as in `architecture=pretrained`. batch_size: pictures that are encoded at once. Features are kept in the cache,
    by the content of the pictures, weights, preprocessing and pooling. source: of the pictures; for sample data
    ImageNet's weights are random ones, and no files are needed. Raises ConfigError.
    """
    name = (of or {}).get("name")
    if not isinstance(name, str):
        hint = "dataset.of='{name: dogs_vs_cats}'"
        raise ConfigError(Problem("dataset.of", f"expected a dataset with a name, received {of!r}", f"set {hint}"))
    problems: list[Problem] = []
    given = {key: value for key, value in (of or {}).items() if key != "name"}
    if "source" in given:
        problems.append(Problem("dataset.of.source", "the source is said once", "set dataset.source"))
    full = {**registry.written("dataset", name), **given, "source": source}
    arguments = bound("dataset", name, full, "dataset.of", problems)
    if problems or arguments is None:
        raise ConfigError(problems)
    try:
        pictures = registry.load("dataset", name)(**arguments)
    except ConfigError as error:
        found = [replace(p, path=p.path.replace("dataset.", "dataset.of.", 1)) for p in error.problems]
        raise ConfigError(found) from None
    described = {"name": name, **{key: value for key, value in arguments.items() if key != "source"}}
    return ImageFeatures(pictures, described, backbone, weights, preprocessing, pooling, batch_size)
