"""a task before it runs: its config, the data, the layers with shapes and parameters

  dlrun show task=T [key=value …] [--config-dir DIR] [--plugins DIR]

Takes what `dlrun train` takes, composes and checks it, and prints the composed config, the data card (sizes,
ranges, class counts, samples) and the table of layers. Nothing is trained or written.

Examples
  dlrun show task=imdb_dense
  dlrun show task=imdb_dense 'architecture.units=[512,512]'
  dlrun show task=mnist_dense dataset.source=sample
"""

from __future__ import annotations

from dlrun import console
from dlrun.commands import train


def main(words: list[str]) -> int:
    """Print config, data card and layers."""
    flags = train.parser().parse_intermixed_args(words)
    composer = train.composer_for(flags.config_dir, flags.plugins)
    config = train.check(composer, flags.words, False)
    import yaml

    from dlrun.assembly import assemble
    from dlrun.showing import card, layers, told

    console.say(yaml.safe_dump(config.to_dict(), sort_keys=False).rstrip())
    parts = assemble(config)
    for warning in parts.warnings:
        console.log.warning("%s", warning)
    title, columns, rows = layers(parts)
    console.table(columns, rows, title=f"\n{title}", right=["parameters"])
    console.say(f"loss: {told(parts.loss)}")
    data = parts.dataset.load()
    title = f"\nData · {config.dataset.name}"
    console.table(
        ["part", "what it holds"], card(parts.dataset, data), title, whole=["part"], sample=data.source == "sample"
    )
    return 0
