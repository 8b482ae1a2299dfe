"""The layers of a net that give maps, by name, and which of them to look at if nothing is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from dlrun.errors import ConfigError, Problem, nearest
from dlrun.graphs.network import Network


@dataclass(frozen=True)
class Layer:
    """name: with those of the blocks that it is in, as `dlrun show nested=true` has it. shape: of its output."""

    name: str
    kind: str
    shape: tuple[int, ...]
    module: nn.Module

    @property
    def maps(self) -> bool:
        """Whether it gives [height, width, channels]."""
        return len(self.shape) == 3

    @property
    def convolves(self) -> bool:
        """Whether it is a convolution of pictures."""
        return self.maps and "conv2d" in self.kind

    @property
    def pools(self) -> bool:
        """Whether it makes maps smaller."""
        return self.maps and self.kind.endswith("_pooling2d")

    @property
    def block(self) -> bool:
        """Whether it has layers of its own."""
        return isinstance(self.module, Network)


def layers(network: Network, path: str = "") -> Iterator[Layer]:
    """All in their order, each block before its layers. What has another's weights is left out: that one's name stands
    for both."""
    for layer in _level(network, path):
        yield layer
        if isinstance(layer.module, Network):
            yield from layers(layer.module, f"{layer.name}.")


def named(network: Network, names: str) -> list[Layer]:
    """Those of a list with commas, each by its name or by the end of it. Raises ConfigError with every wrong one."""
    known = {layer.name: layer for layer in layers(network) if layer.maps}
    found, problems = [], []
    for word in [word.strip() for word in names.split(",") if word.strip()]:
        same = [name for name in known if name == word] or [name for name in known if name.endswith(f".{word}")]
        if len(same) == 1:
            found.append(known[same[0]])
        elif same:
            problems.append(Problem("layer", f"{len(same)} layers are called '{word}'", f"say one: {', '.join(same)}"))
        else:
            problems.append(_unknown(word, network, known))
    if problems:
        raise ConfigError(problems)
    return found


def _unknown(word: str, network: Network, known: dict[str, Layer]) -> Problem:
    flat = next((layer for layer in layers(network) if layer.name == word), None)
    if flat is not None:
        message = f"'{word}' gives {flat.shape}, no maps of height, width and channels"
        return Problem("layer", message, f"those that do: {_few(list(known))}")
    ends = {name.rpartition(".")[2]: name for name in known}
    near = nearest(word, [*known, *ends])
    beside = [name for name in known if name.rpartition(".")[0] == word.rpartition(".")[0]]
    hint = f"{near} those with maps: {_few(beside or list(known))}".strip()
    return Problem("layer", f"no layer is called '{word}'", hint)


def _few(names: list[str], most: int = 20) -> str:
    """In the order of the net."""
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


def overview(network: Network) -> list[Layer]:
    """Convolutions, poolings and blocks as in the table of layers; where that is one block, what is in it."""
    found = [layer for layer in _level(network, "") if layer.convolves or layer.pools or (layer.maps and layer.block)]
    while len(found) == 1 and isinstance(found[0].module, Network):
        inside = _level(found[0].module, f"{found[0].name}.")
        found = [layer for layer in inside if layer.convolves or layer.pools or (layer.maps and layer.block)]
    return _some(found)


def first_of_each_size(network: Network) -> list[Layer]:
    """The first convolution on each size of maps: of VGG16 the book's block1_conv1, block2_conv1, …"""
    found: dict[tuple[int, ...], Layer] = {}
    for layer in layers(network):
        if layer.convolves and not layer.block:
            found.setdefault(layer.shape[:2], layer)
    return _some(list(found.values()))


def last(network: Network) -> Layer:
    """The last convolution, and what makes its final maps of the same size: activation, normalization, a sum."""
    leaves = [layer for layer in layers(network) if not layer.block]
    at = max((i for i, layer in enumerate(leaves) if layer.convolves), default=-1)
    _some(leaves[at:] if at >= 0 else [])
    size = leaves[at].shape[:2]
    for layer in leaves[at + 1 :]:
        if not layer.maps or layer.pools or layer.shape[:2] != size:
            break
        at += 1
    return leaves[at]


def _some(found: list[Layer]) -> list[Layer]:
    if not found:
        raise ConfigError(Problem("layer", "this net has no convolutions of pictures", "see its layers by dlrun show"))
    return found


def _level(network: Network, path: str) -> list[Layer]:
    return [
        Layer(path + node.name, node.kind, node.outputs[0].shape, network.get_submodule(node.name))
        for node in network.nodes
        if node.same_as is None and len(node.outputs) == 1
    ]


def numbers(text: str, count: int, layer: str) -> list[int]:
    """`0,4,8-11` as indices of a layer's channels, none where nothing is said. Raises ConfigError."""
    found: list[int] = []
    for word in [word.strip() for word in text.split(",") if word.strip()]:
        first, dash, end = word.partition("-")
        if not first.isdecimal() or (dash and not end.isdecimal()):
            raise ConfigError(Problem("channels", f"expected indices such as 0,4,8-11, received '{text}'"))
        found += range(int(first), int(end if dash else first) + 1)
    if wrong := [n for n in found if n >= count]:
        raise ConfigError(
            Problem("channels", f"{layer} has no channel {wrong[0]}", f"it has {count}: 0 to {count - 1}")
        )
    return list(dict.fromkeys(found))
