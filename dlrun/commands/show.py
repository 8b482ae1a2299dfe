"""a task before it runs: its config, the data, the layers with shapes and parameters

  dlrun show task=T [graph=FILE] [shapes=false] [nested=true] [preview=FILE.png] [key=value …]
             [--config-dir DIR] [--plugins DIR]

Takes what `dlrun train` takes, composes and checks it, and prints the composed config, the data card (sizes,
ranges, class counts, samples) and the table of layers, and that of the tensors that train where others are
frozen. Nothing is trained.

graph=FILE draws the layers, by Graphviz: FILE ends in .svg, .png or .pdf; .dot writes Graphviz's text, and
.yaml the architecture as a graph of layers, to be changed by hand. shapes=false leaves the shapes out,
nested=true opens blocks, in the table and in the picture. preview=FILE.png writes a sheet of training
pictures as the model sees them, augmented, beside what they were.

Examples
  dlrun show task=imdb_dense
  dlrun show task=imdb_dense 'architecture.units=[512,512]'
  dlrun show task=mnist_dense dataset.source=sample graph=mnist.svg
  dlrun show task=dogs_vs_cats_augmented preview=augmented.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlrun import console, sheets
from dlrun.commands import train
from dlrun.errors import ConfigError, Problem

OWN = {"graph": "", "preview": "", "shapes": "true", "nested": "false"}
"""Words that are not the config's, with their defaults."""


def main(words: list[str]) -> int:
    """Print config, data card and layers."""
    from dlrun.graphs import drawing

    own, words = own_words(words)
    if own["graph"]:
        drawing.check(Path(own["graph"]))
    if own["preview"]:
        sheets.check("preview", Path(own["preview"]))
    flags = train.parser().parse_intermixed_args(words)
    composer = train.composer_for(flags.config_dir, flags.plugins)
    config = train.check(composer, flags.words, False)
    import torch
    import yaml

    from dlrun import previewing
    from dlrun.assembly import assemble
    from dlrun.showing import card, layers, told, trainable

    console.say(yaml.safe_dump(config.to_dict(), sort_keys=False).rstrip())
    parts = assemble(config)
    for warning in parts.warnings:
        console.log.warning("%s", warning)
    with torch.device("meta"):
        model = parts.model(0)
    if own["preview"]:
        previewing.check(model)
    title, columns, rows = layers(model, own["nested"] == "true")
    console.table(columns, rows, title=f"\n{title}", right=["parameters", "frozen"])
    title, columns, rows = trainable(model)
    if rows:
        console.table(columns, rows, title=f"\n{title}", right=["parameters"])
    if own["graph"]:
        _write(model, config, Path(own["graph"]), own["shapes"] == "true", own["nested"] == "true")
    console.say(f"loss: {told(parts.loss)}")
    data = parts.dataset.load()
    title = f"\nData · {config.dataset.name}"
    console.table(
        ["part", "what it holds"], card(parts.dataset, data), title, whole=["part"], sample=data.source == "sample"
    )
    if own["preview"]:
        mark = " · SAMPLE DATA" if data.source == "sample" else ""
        title = f"{config.task} · augmented training pictures{mark}"
        previewing.draw(parts, data, config.seed, Path(own["preview"]), title)
        console.say(f"preview: {own['preview']}")
    return 0


def own_words(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The values of `OWN`, and the words that are left. Raises ConfigError."""
    values, rest = dict(OWN), []
    for word in words:
        key, equals, value = word.partition("=")
        if key not in OWN or not equals:
            rest.append(word)
        elif key not in ("graph", "preview") and value not in ("true", "false"):
            raise ConfigError(Problem(key, f"expected true or false, received '{value}'"))
        else:
            values[key] = value
    return values, rest


def _write(model: Any, config: Any, file: Path, shapes: bool, nested: bool) -> None:
    from dlrun.graphs import drawing
    from dlrun.graphs.summary import network_of

    graph = network_of(model)
    if graph is None:
        raise ConfigError(Problem("graph", "this architecture is a class of your own, and not a graph of layers"))
    if file.suffix == ".yaml":
        drawing.export(graph, file, config.architecture.args.get("blocks"))
    else:
        drawing.draw(graph, file, shapes, nested)
    console.say(f"graph: {file}")
