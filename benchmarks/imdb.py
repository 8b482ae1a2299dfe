"""imdb_dense: word indices and an embedding sum, against the dense 25,000 x 10,000 matrix of the book."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._measure import DLRUN, PEERS, Contender, Result, Row, compare, in_turns, timed

WORDS = ["task=imdb_dense", "evaluation.validation=0"]  # all 25,000 training reviews


def run(rounds: int, keras: str | None) -> Result:
    """Memory, predictions, and epochs in turns."""
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        peak = timed([*DLRUN, "train", *WORDS, "trainer.epochs=4"], folder).peak_gb
        difference = _difference(folder)
        contenders = [
            Contender("dlrun", ["dlrun_train.py", *WORDS], folder),
            Contender("plain torch", ["plain.py", "imdb"], folder),
        ]
        if keras:
            contenders.append(Contender("Keras on JAX", ["keras_jax.py", "imdb"], folder, keras))
        result.raw = {"peak_gb": peak, "largest_difference": difference, **in_turns(contenders, rounds, epochs=5)}
    dlrun, plain, *others = contenders
    result.rows = [
        Row("imdb_dense, all 25,000 reviews: peak memory of the command", f"{peak:.2f} GB", "", "under 1.5 GB",
            peak < 1.5),
        Row("imdb_dense: its 25,000 test predictions against the same weights on the dense matrix",
            f"differ by at most {difference:.1e}", "", "at most 1e-5", difference <= 1e-5),
        compare("imdb_dense, an epoch", dlrun, plain, "at least 4 x as fast", 4),
        *(compare("imdb_dense, an epoch", dlrun, other, "faster", 1) for other in others),
    ]  # fmt: skip
    return result


def _difference(folder: str) -> float:
    timed([*DLRUN, "predict", "run=imdb_dense", "rows=test", "n=0"], folder)
    (run,) = (path.parent for path in Path(folder).glob("runs/imdb_dense/*/summary.json"))
    words = [sys.executable, str(PEERS / "imdb_equal.py"), str(run)]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
