"""Predictions of a finished run, from `dlrun predict`, against its weights on the dense test matrix.

`python imdb_equal.py RUN_FOLDER` prints the largest difference. Only numpy does the sums here.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import _data
import numpy as np
from safetensors.numpy import load_file


def main(run: Path) -> None:
    """Compare all rows of the test set."""
    with (run / "artifacts" / "predictions.csv").open(encoding="utf-8") as file:
        predicted = np.array([float(row["p(positive)"]) for row in csv.DictReader(file)])
    (weights,) = (run / "checkpoints").glob("*-last.safetensors")
    w = load_file(weights)
    x, _ = _data.imdb("test")
    for layer in ("dense_1", "dense_2"):
        x = np.maximum(x @ w[f"{layer}.kernel"] + w[f"{layer}.bias"], 0)
    logits = x @ w["output.kernel"] + w["output.bias"]
    dense = 1 / (1 + np.exp(-logits[:, 0]))
    assert len(predicted) == len(dense)
    print(np.abs(predicted - dense).max())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
