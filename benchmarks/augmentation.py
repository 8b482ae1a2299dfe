"""An epoch of augmented batches, 2,000 pictures of 150 x 150 in batches of 20, without a net behind them."""

from __future__ import annotations

import tempfile

from benchmarks._measure import Contender, Result, compare, in_turns

WHAT = "2,000 pictures of 150 x 150 augmented as in listing 5-11, bilinear"


def run(rounds: int, keras: str | None) -> Result:
    """Epochs in turns. All have the same decoded pictures in memory."""
    with tempfile.TemporaryDirectory() as folder:
        contenders = [
            Contender("dlrun", ["augmented_dlrun.py"], folder),
            Contender("torchvision in a DataLoader", ["augmented_torchvision.py", "0"], folder),
            Contender("torchvision in a DataLoader with 2 workers", ["augmented_torchvision.py", "2"], folder),
        ]
        if keras:
            contenders.append(Contender("Keras's generator", ["augmented_keras.py"], folder, keras))
        raw = in_turns(contenders, rounds)
    dlrun, *others = contenders
    return Result([compare(WHAT, dlrun, other) for other in others], raw)
