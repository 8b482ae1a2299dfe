"""Folds trained as one stack against one after another, both by dlrun: what `evaluation.stack=auto` should do."""

from __future__ import annotations

import tempfile

from benchmarks._measure import Contender, Result, Row, in_turns, spread

FOLDS = 4


def run(rounds: int, tasks: tuple[str, ...] = ("imdb_dense", "mnist_dense")) -> Result:
    """An epoch of a stack of four folds against an epoch of one fold, in turns: four of those are one epoch of
    all. Validation is left out on both sides."""
    result = Result()
    for task in tasks:
        words = [f"task={task}", "evaluation=kfold", f"evaluation.n_splits={FOLDS}"]
        with tempfile.TemporaryDirectory() as folder:
            contenders = [
                Contender(name, ["dlrun_train.py", *words, f"evaluation.stack={stack}", f"runs_dir={stack}"], folder)
                for name, stack in (("stack of 4", "always"), ("one fold", "never"))
            ]
            result.raw[task] = in_turns(contenders, rounds, epochs=2)
        stack, one = (c.values() for c in contenders)
        factor = [FOLDS * b / a for a, b in zip(stack, one, strict=True)]
        result.rows.append(
            Row(
                f"{task}, 4 folds, eager: an epoch of the stack against four epochs of one fold",
                f"{spread(stack, ' s')} against 4 x {spread(one, ' s')}",
                f"{spread(factor)} x as fast; best epochs: {FOLDS * min(one) / min(stack):.2f} x",
            )
        )
    return result
