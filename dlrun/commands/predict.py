"""predictions for new rows, texts, images

  dlrun predict run=R input=…  [weights=last|best] [split=r0f1] [device=auto] [runs_dir=runs]
  dlrun predict run=R rows=test [n=10] [mistakes=FILE.png] …

input: what the run's dataset reads. Several are separated by commas where they are files.
  imdb, reuters        a text, or a .txt file
  mnist, dogs_vs_cats, image_folder  a picture file
  csv                  column=value,column=value,… or a JSON object: one row; or a .csv file of rows
  several inputs       a JSON object with the name of each (question_answering, sentence_pairs, …)
rows: `train`, `val` or `test`, the first n of them (n=0: all), with the true values. `train` and `test` are
the dataset's, `val` is what the model's split held out; rows=test opens the test set, which
runs/test_ledger.jsonl records. mistakes=FILE.png writes a sheet of the pictures that are taken for another
class, the surest first.
Probabilities come with the class they speak for; of several targets each has its columns. All predictions go
to artifacts/predictions.csv in the run folder, a table with one column per class or value.

R is a path, a signature (four digits are enough), task/signature, or a task (its newest finished
run).

Examples
  dlrun predict run=imdb_dense input="a wonderful film, moving and funny"
  dlrun predict run=imdb_dense input=review.txt
  dlrun predict run=mnist_dense input=three.png,seven.png
  dlrun predict run=csv_dense input=rooms=4,city=Bonn
  dlrun predict run=qa_multi_input input='{"text": [17, 4, 9], "question": [30, 2]}'
  dlrun predict run=imdb_dense rows=test n=0
  dlrun predict run=dogs_vs_cats_scratch rows=val n=0 mistakes=mistakes.png
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun import console, sheets
from dlrun.commands import _mistakes
from dlrun.commands._predictions import Column, columns, narrow
from dlrun.commands._words import parse
from dlrun.errors import ConfigError, Problem

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.contracts import Data
    from dlrun.loading import Loaded

    Outputs = dict[str, Tensor]


def main(words: list[str]) -> int:
    """Predict, show the first ones, write all."""
    known = {
        "run": "",
        "input": "",
        "rows": "",
        "n": "10",
        "mistakes": "",
        "weights": "last",
        "split": "",
        "device": "auto",
        "runs_dir": "runs",
    }
    given = parse(words, known, ("run",))
    problems = []
    if bool(given["input"]) == bool(given["rows"]):
        problems.append(Problem("input", "expected one of input=… and rows=train|val|test"))
    if given["rows"] not in ("", "train", "val", "test"):
        problems.append(Problem("rows", f"expected train, val or test, received '{given['rows']}'"))
    if given["mistakes"] and given["input"]:
        problems.append(Problem("mistakes", "what is true of an input is not known: expected rows=train|val|test"))
    if not given["n"].isdigit():
        problems.append(Problem("n", f"expected a number of rows, received '{given['n']}'"))
    if given["weights"] not in ("last", "best"):
        problems.append(Problem("weights", f"expected last or best, received '{given['weights']}'"))
    if problems:
        raise ConfigError(problems)
    if given["mistakes"]:
        sheets.check("mistakes", Path(given["mistakes"]))
    from dlrun.files import write_text
    from dlrun.loading import load

    run = load(given["run"], given["runs_dir"], given["weights"], given["split"], given["device"])
    inputs, predictions, true = _from_rows(run, given) if given["rows"] else _from_input(run, given["input"])
    targets = run.parts.spec.targets
    table = [Column("input", inputs)]
    for name, values in predictions.items():
        table += columns(name, targets[name], values, true.get(name), len(predictions) > 1)
    rows = list(zip(*(column.cells for column in table), strict=True))
    path = run.folder.artifacts / "predictions.csv"
    text = io.StringIO()
    csv.writer(text).writerows([[column.head for column in table], *rows])
    write_text(path, text.getvalue())
    drawn = narrow(table)
    shown = [[_short(cell) for cell in row] for row in list(zip(*(c.cells for c in drawn), strict=True))[:20]]
    title = f"{run.config.task} · {run.folder.path.name} · {given['weights']} weights"
    sample = run.config.dataset.args["source"] == "sample"
    right = [column.head for column in drawn if column.figures]
    console.table([column.head for column in drawn], shown, title=title, right=right, sample=sample)
    more = f", the first {len(shown)} of them above" if len(rows) > len(shown) else ""
    count = "1 prediction" if len(rows) == 1 else f"{len(rows):,} predictions"
    console.say(f"{count} written to {path}{more}")
    return 0


def _from_input(run: Loaded, word: str) -> tuple[list[str], Outputs, Outputs]:
    """Names of the rows, predictions by target, and no true values."""
    import torch

    files = word.split(",")
    words = files if any(_is_file(f) for f in files) else [word]
    encoded = [run.parts.dataset.encode(w) for w in words]
    named = [w.encode(errors="backslashreplace").decode() for w in words]  # a terminal may send any bytes
    readable = [
        name if len(rows) == 1 else f"{name}[{i}]"
        for name, rows in zip(named, encoded, strict=True)
        for i in range(len(rows))
    ]
    predicted = [_predict(run, rows) for rows in encoded]
    return readable, {name: torch.cat([p[name] for p in predicted]) for name in predicted[0]}, {}


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except OSError:  # a text may be longer than any name of a file
        return False


def _from_rows(run: Loaded, given: dict[str, str]) -> tuple[list[str], Outputs, Outputs]:
    """Names of the rows, predictions and true values by target."""
    import torch

    from dlrun import ledger
    from dlrun.objective import terms

    target = next(iter(terms(run.parts.loss)))
    if given["mistakes"]:
        _mistakes.check(run.parts.spec, target)
    data, part = run.parts.dataset.load(), given["rows"]
    rows = data.test if part == "test" else data.train
    if rows is None:
        raise ConfigError(Problem("rows", f"dataset {run.config.dataset.name} has no test rows"))
    if part == "test":
        ledger.note(run.folder.path.parent.parent, run.folder, run.config, by="predict")
    index = torch.arange(len(rows)) if part != "val" else _held_out(run, data, given["split"])
    index = index[: int(given["n"]) or len(index)]
    predictions = _predict(run, rows, index.numpy())
    if given["mistakes"]:
        mark = " · SAMPLE DATA" if data.source == "sample" else ""
        title = f"{run.config.task} · {run.folder.path.name} · {part} rows{mark}"
        path = Path(given["mistakes"])
        count = _mistakes.draw(data.spec, rows, index, target, predictions[target], path, title)
        console.say(f"{count:,} mistakes: {path}" if count else "no mistakes: nothing to draw")
    true = {name: values[index] for name, values in rows.targets.items()}
    return [f"{'test' if part == 'test' else 'train'}[{i}]" for i in index.tolist()], predictions, true


def _held_out(run: Loaded, data: Data, split: str) -> Tensor:
    """The training rows that the model has not seen. Raises ConfigError where it has seen all."""
    import torch

    if not split and run.folder.weights("refit", "r0f0", "last").exists():
        hint = "choose a model that was not: split=r0f0"
        raise ConfigError(Problem("rows", "the final model was trained on the validation rows too", hint))
    splits = {found.name: found for found in run.parts.splits(data, run.config.seed)}
    held_out = splits[split or next(iter(splits))].val
    if not len(held_out):
        raise ConfigError(Problem("rows", "this run held no rows out", "rows=train or rows=test"))
    return torch.from_numpy(held_out)


def _predict(run: Loaded, rows: Any, index: Any = None) -> Outputs:
    """The model's outputs for the targets that it was trained on, each [N, …]."""
    import numpy as np
    import torch

    from dlrun.device import DTYPES
    from dlrun.loaders import Loader, to_device
    from dlrun.objective import terms

    trainer = run.config.trainer
    dtype = DTYPES[trainer.precision]
    model = run.parts.model(0).to(run.device, dtype).eval()
    model.load_state_dict(run.weights)
    index = np.arange(len(rows)) if index is None else index
    loader = Loader(to_device(rows, run.device), run.parts.spec, [index], trainer.eval_batch_size, dtype)
    with torch.no_grad():
        outputs = [model(batch.inputs) for batch, _ in loader.epoch(0)]
    return {name: torch.cat([output[name].cpu() for output in outputs]) for name in terms(run.parts.loss)}


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
