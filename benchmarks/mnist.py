"""mnist_dense: batches by index from tensors in memory, against other ways to feed the same net."""

from __future__ import annotations

import tempfile

from benchmarks._measure import Contender, Result, compare, in_turns


def run(rounds: int, keras: str | None) -> Result:
    """Epochs in turns."""
    with tempfile.TemporaryDirectory() as folder:
        contenders = [
            Contender("dlrun", ["dlrun_train.py", "task=mnist_dense"], folder),
            Contender("plain torch", ["plain.py", "mnist"], folder),
            Contender("DataLoader", ["dataloader.py", "0"], folder),
            Contender("DataLoader with 2 workers", ["dataloader.py", "2"], folder),
        ]
        if keras:
            contenders.append(Contender("Keras on JAX", ["keras_jax.py", "mnist"], folder, keras))
        raw = in_turns(contenders, rounds, epochs=2)
    dlrun, plain, alone, workers, *others = contenders
    rows = [
        compare("mnist_dense, an epoch", dlrun, plain, "no slower: at most 1.1 x the time", 1 / 1.1),
        compare("mnist_dense, an epoch", dlrun, alone, "at least 3 x as fast", 3),
        compare("mnist_dense, an epoch", dlrun, workers, "at least 3 x as fast", 3),
        *(compare("mnist_dense, an epoch", dlrun, other) for other in others),
    ]
    return Result(rows, raw)
