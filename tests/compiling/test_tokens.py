"""Two inputs of tokens through a whole run: stacked, compiled, evaluated, predicted from."""

from __future__ import annotations

import csv
import json

import pytest
from _comparing import ALONE, FOLDS, assert_compiled_is_eager, assert_stacked_is_sequential, train
from _running import only_run
from _tokens import BAGS, TOKENS

from dlrun.cli import main
from dlrun.datasets import question_answering

TEXT, QUESTION = list(range(1, 9)), [20, 21]


@pytest.fixture(autouse=True)
def _own(write):
    for name, text in TOKENS.items():
        write(name, text)


def test_a_stack_is_its_models_alone():
    assert_stacked_is_sequential(*BAGS, *FOLDS)


@pytest.mark.parametrize("scheme", [ALONE, FOLDS], ids=["alone", "folds"])
def test_a_compiled_update_is_the_eager_one(traced, scheme):
    assert_compiled_is_eager([*BAGS, *scheme], traced)


@pytest.fixture
def run(project):
    words = ["baselines=[majority,logistic]", "trainer.epochs=20", "evaluation.validation=0", "dataset.n=600"]
    assert train(*BAGS, *words) == 0
    return ["run=runs/" + "/".join(only_run().path.parts[-2:]), "--plugins", "own"]


def test_it_is_evaluated_beside_a_baseline_that_counts_words(run, capsys):
    assert main(["evaluate", *run]) == 0
    found = json.loads((only_run().artifacts / "evaluation.json").read_text())
    assert found["test"]["accuracy"] > 0.5
    judged = found["baseline"]["accuracy"]["all"]
    assert judged["logistic"]["mean"] > 0.5 > 0.2 > judged["majority"]["mean"]


def test_a_row_is_predicted_from_its_inputs_by_name(run, capsys):
    def predicted():
        with (only_run().artifacts / "predictions.csv").open() as file:
            return list(csv.DictReader(file))

    data = question_answering.build(n=600, length=8, vocabulary=60, answers=25, source="sample").load()
    assert main(["predict", *run, "rows=test", "n=1"]) == 0
    (by_row,) = predicted()
    raw = json.dumps({name: column[0].tolist() for name, column in data.test.inputs.items()})
    assert main(["predict", *run, f"input={raw}"]) == 0
    (by_name,) = predicted()
    assert {key: by_name[key] for key in by_name if key != "input"} == {
        key: by_row[key] for key in by_row if key not in ("input", "true")
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": TEXT}, "nothing for question"),
        ({"text": TEXT, "qestion": QUESTION}, "'qestion' is no input. Did you mean 'question'?"),
        ({"text": TEXT, "question": QUESTION, "date": 3}, "'date' is no input"),
        ({"text": TEXT, "question": [60]}, "input 'question': expected at most 8 words"),
        (TEXT, 'expected a JSON object {"text": …, "question": …}'),
    ],
)
def test_what_can_t_be_read_is_one_error(run, given, said, capsys):
    capsys.readouterr()
    assert main(["predict", *run, f"input={json.dumps(given)}"]) == 3
    said_there = " ".join("".join(capsys.readouterr()).split())
    assert said in said_there
    assert "Traceback" not in said_there


def test_the_card_shows_tokens(project, capsys):
    assert main(["data", "card", "question_answering", "n=20"]) == 0
    assert "tokens (20, 100) uint16" in capsys.readouterr().out
    assert main(["data", "card", "random_vectors", "n=20"]) == 0
    assert "10 classes, each row their weights" in capsys.readouterr().out
