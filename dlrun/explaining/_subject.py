"""The net that is looked into: a run's, or a pretrained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dlrun.contracts import Bags, Column, DataSpec, InputSpec, Rows
from dlrun.device import DTYPES
from dlrun.errors import ConfigError, Problem, available, nearest
from dlrun.graphs.network import Network
from dlrun.graphs.summary import network_of
from dlrun.loaders import Loader, to_device
from dlrun.loading import load


@dataclass(frozen=True)
class Subject:
    """A net with its weights, which stay as they are.

    title: what it is. model: inputs by name to outputs by name, as any architecture's. network: the graph in it whose
    layers can be named. encode: what a user types as one row. stretched: whether a picture is stretched to the size of
    the input, so that places in both agree. out: where pictures go if nothing is said. sample: trained on sample data.
    """

    title: str
    model: nn.Module
    network: Network
    spec: DataSpec
    encode: Callable[[str], Rows]
    stretched: bool
    out: Path
    device: torch.device
    dtype: torch.dtype
    sample: bool = False

    def pictures(self) -> list[str]:
        """The inputs that are pictures, [height, width] or with 1 or 3 channels."""
        return [name for name, given in self.spec.inputs.items() if _is_picture(given)]

    def picture(self, named: str) -> str:
        """The input to look at: the only picture, or the one that was named. Raises ConfigError."""
        there = self.pictures()
        if not there:
            read = ", ".join(f"{name} {given.shape}" for name, given in self.spec.inputs.items())
            raise ConfigError(Problem("run", f"{self.title} reads no pictures, but {read}", "choose a run that does"))
        if named in there or (not named and len(there) == 1):
            return named or there[0]
        if not named:
            raise ConfigError(Problem("input", f"the net reads {len(there)} pictures: name one", available(there)))
        raise ConfigError(
            Problem("input", f"no picture '{named}'", f"{nearest(named, there)} {available(there)}".strip())
        )

    def inputs(self, rows: Rows) -> dict[str, Column]:
        """Rows as the model reads them."""
        index = [np.arange(len(rows))]
        loader = Loader(to_device(rows, self.device), self.spec, index, len(rows), self.dtype)
        return next(iter(loader.epoch(0))).batch.inputs

    def nothing(self, count: int) -> dict[str, Column]:
        """`count` rows of zeros, and of no words."""
        return {name: self._zeros(given, count) for name, given in self.spec.inputs.items()}

    def _zeros(self, given: InputSpec, count: int) -> Column:
        if given.encoding == "multi_hot":
            return Bags(*(torch.zeros(n, dtype=torch.int64, device=self.device) for n in (0, count + 1)))
        kind = torch.int64 if given.encoding == "tokens" else self.dtype
        return torch.zeros(count, *given.shape, dtype=kind, device=self.device)


def _is_picture(given: InputSpec) -> bool:
    """Pixels from 0 to 255 in the data, unlike other tables of numbers."""
    shape = given.shape
    flat = len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3))
    return given.encoding == "values" and given.divide_by != 1.0 and flat


def pixels(values: Tensor, given: InputSpec) -> np.ndarray:
    """uint8 [height, width, 3] of one row of an input as the model reads it."""
    grey_or_colour = values.detach().cpu() * given.divide_by
    if grey_or_colour.ndim == 2:
        grey_or_colour = grey_or_colour[..., None]
    return np.asarray(grey_or_colour.round().clamp(0, 255).expand(*grey_or_colour.shape[:2], 3).to(torch.uint8))


def of_run(word: str, runs_dir: str, which: str, split: str, device: str) -> Subject:
    """A finished run's model. Raises ConfigError, RunError and DataError."""
    run = load(word, runs_dir, which, split, device)
    dtype = DTYPES[run.config.trainer.precision]
    model = run.parts.model(0).to(run.device, dtype).eval().requires_grad_(False)
    model.load_state_dict(run.weights)
    network = network_of(model)
    if network is None:
        message = f"{run.config.architecture.name} is a class of your own, and not a graph of layers"
        raise ConfigError(Problem("run", message, "its layers have no names to ask for"))
    dataset = run.parts.dataset
    return Subject(
        f"{run.config.task} · {run.folder.path.name} · {which} weights", model, network, run.parts.spec,
        dataset.encode, getattr(dataset, "stretched", True), run.folder.artifacts / "explain", run.device, dtype,
        run.config.dataset.args.get("source") == "sample",
    )  # fmt: skip
