"""the test stage of a finished run

  dlrun evaluate run=R [weights=last|best] [split=r0f1] [device=auto] [runs_dir=runs]

Opens the test set with the run's final weights, those of the refitted model where there is one, shows loss
and metrics beside the baseline, and writes artifacts/evaluation.json into the run folder. Every opening is
recorded in runs/test_ledger.jsonl: a test set that is looked at often becomes a validation set.

R is a path, a signature (four digits are enough), task/signature, or a task (its newest finished
run).

Examples
  dlrun evaluate run=imdb_dense
  dlrun evaluate run=imdb_dense/1c9f03aa weights=best
  dlrun evaluate run=imdb_dense/77e0b1d2 split=r0f3         one of several folds
"""

from __future__ import annotations

import json

from dlrun import console
from dlrun.commands._words import parse
from dlrun.console import number
from dlrun.errors import ConfigError, DataError, Problem


def main(words: list[str]) -> int:
    """Evaluate and show."""
    known = {"run": "", "weights": "last", "split": "", "device": "auto", "runs_dir": "runs"}
    given = parse(words, known, ("run",))
    if given["weights"] not in ("last", "best"):
        raise ConfigError(Problem("weights", f"expected last or best, received '{given['weights']}'"))
    from dlrun import ledger
    from dlrun.files import write_text
    from dlrun.judging import judge, verdict
    from dlrun.loading import load
    from dlrun.scoring import score
    from dlrun.standardizing import learned_deviations

    run = load(given["run"], given["runs_dir"], given["weights"], given["split"], given["device"])
    data = run.parts.dataset.load()
    if data.test is None:
        raise DataError(f"dataset {run.config.dataset.name} has no test set")
    ledger.note(run.folder.path.parent.parent, run.folder, run.config, by="evaluate")
    values = score(run.parts, data.test, run.weights, run.config, run.device)
    chosen, seed = run.config.baselines, run.config.seed
    unit = learned_deviations(run.parts.model(0), run.weights)
    base = judge(run.parts.spec, run.parts.metrics, chosen, data.train, data.test, seed, values, unit)
    result = {
        "test": values,
        "baseline": base,
        "weights": given["weights"],
        "split": given["split"],
        "rows": len(data.test),
    }
    path = run.folder.artifacts / "evaluation.json"
    write_text(path, json.dumps(result, indent=2) + "\n")
    shown = [
        [n, number(v), f"{number(base[n]['value'])} ({base[n]['kind']})" if n in base else "-"]
        for n, v in values.items()
    ]
    title = f"{run.config.task} · {run.folder.path.name} · {given['weights']} weights · {len(data.test):,} test rows"
    sample = data.source == "sample"
    console.table(["", "test", "baseline"], shown, title=title, right=["test", "baseline"], sample=sample)
    if base:
        console.say(f"baselines: {verdict(base)}")
    console.say(f"written to {path}")
    return 0
