"""`dlrun reproduce`: all runs once, claims judged over the seeds, results into a README."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlrun import claims
from dlrun.claims import Claim
from dlrun.cli import main
from dlrun.reproducing import Done, judge
from dlrun.results_block import BEGIN, END, markdown, results_file, write_block
from dlrun.run_folder import RunFolder

PLAIN = "trainer.plots=false"  # changes no result
SMALL = ["trainer.epochs=1", PLAIN]


@pytest.fixture
def question(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A question with two quick tasks, in an experiments folder that is written to like a checkout's."""
    folder = project / "experiments" / "steps"
    folder.mkdir(parents=True)
    folder.joinpath("experiment.yaml").write_text(
        "question: Do more steps help?\nruns:\n  - gd_batch_mini\n  - gd_batch_full\nseeds: [0, 1]\nclaims:\n"
        "- {run: gd_batch_mini, claim: small loss, metric: val.loss, expected: 0.01, high: 0.1}\n"
        "- {run: gd_batch_full, claim: further off, metric: val.loss, minus: gd_batch_mini, low: 0}\n"
        "- {run: gd_batch_full, claim: impossible, metric: val.loss, high: -1}\n"
        "- {run: gd_batch_full, claim: a figure, metric: train.loss}\n"
    )
    folder.joinpath("README.md").write_text(f"# Steps\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    monkeypatch.setattr(claims, "EXPERIMENTS", project / "experiments")
    monkeypatch.setattr("dlrun.results_block.__file__", str(project / "dlrun" / "results_block.py"))
    return folder


def folders() -> dict[str, int]:
    """Each run on disk, and when its summary was written."""
    return {f.parent.name: f.stat().st_mtime_ns for f in Path("runs").glob("*/*/summary.json")}


def test_without_a_name_the_questions_are_listed(question, capsys):
    assert main(["reproduce"]) == 0
    assert capsys.readouterr().out == ("experiment\tquestion\truns\tclaims\nsteps\tDo more steps help?\t4\t4\n")
    assert not Path("runs").exists()


def test_every_run_is_done_once_and_judged(question, capsys):
    assert main(["reproduce", "steps", PLAIN]) == 0
    first = capsys.readouterr()
    assert "steps · 4 runs" in first.out
    assert "within 0.1 or less" in first.out
    assert "outside -1 or less" in first.out
    assert "steps: claims that hold: 2, that do not: 1; runs that failed: 0" in first.out
    assert "strict=true makes it 4" in first.out
    assert "steps 4/4: gd_batch_full seed 1" in first.err
    before = folders()
    assert len(before) == 4
    assert main(["reproduce", "steps", "strict=true", PLAIN]) == 4
    assert folders() == before
    assert capsys.readouterr().err.count("finished before") == 4


def test_an_interrupted_reproduce_goes_on(question, monkeypatch, capsys):
    from dlrun import runner
    from dlrun.errors import Interrupted

    original, seen = runner.run, []

    def run(config, words):
        seen.append(config.task)
        if len(seen) == 3:
            raise Interrupted("stopped")
        return original(config, words)

    monkeypatch.setattr(runner, "run", run)
    assert main(["reproduce", "steps", *SMALL]) == 130
    assert len(folders()) == 2
    assert main(["reproduce", "steps", *SMALL]) == 0
    assert len(folders()) == 4
    assert "not compared: changed" in capsys.readouterr().out


def test_seeds_and_folder_are_chosen(question, capsys):
    assert main(["reproduce", "steps", "seeds=7", "runs_dir=elsewhere", *SMALL]) == 0
    summaries = [json.loads(f.read_text()) for f in Path("elsewhere").glob("*/*/summary.json")]
    assert [s["seed"] for s in summaries] == [7, 7]
    alone = ["train", "task=gd_batch_mini", "seed=7", "runs_dir=elsewhere", *SMALL]
    assert main(alone) == 0
    assert "finished before" in capsys.readouterr().err  # the same run as that of `dlrun train`


def test_a_run_that_fails_stops_no_other(question, capsys):
    assert main(["reproduce", "steps", "optimizer.lr=1e30", "seeds=0"]) == 4
    shown = capsys.readouterr()
    assert shown.out.count("seed 0 failed: ") == 2
    assert "not measured" in shown.out
    assert "runs that failed: 2" in shown.out


def test_write_renews_the_block_and_nothing_else(question, capsys):
    assert main(["reproduce", "steps", "write=true", PLAIN]) == 0
    text = (question / "README.md").read_text()
    start, stop = text.index(BEGIN), text.index(END)
    assert text[:start] == "# Steps\n\n"
    assert text[stop:] == f"{END}\n\nafter\n"
    block = text[start:stop]
    assert "old" not in block
    assert "| `gd_batch_full` | further off, less that of gd_batch_mini | - | " in block
    assert "`dlrun reproduce steps seeds=0,1 trainer.plots=false`: " in block
    assert "torch " in block
    assert "commit " in block
    assert "4 runs, " in block
    assert main(["reproduce", "steps", "write=true", "dataset.source=sample", PLAIN]) == 0
    assert "README left as it was: sample data" in capsys.readouterr().out
    assert (question / "README.md").read_text() == text


def test_write_needs_a_place_to_write_to(question, monkeypatch, capsys):
    (question / "README.md").write_text("# Steps\n")
    assert main(["reproduce", "steps", "write=true"]) == 2
    assert BEGIN in capsys.readouterr().err
    assert main(["reproduce", "steps", "write=true", *SMALL]) == 2
    assert "changed by trainer.epochs=1" in capsys.readouterr().err
    monkeypatch.setattr("dlrun.results_block.__file__", str(question / "site-packages" / "dlrun" / "results_block.py"))
    assert main(["reproduce", "steps", "write=true"]) == 2
    assert "no file of a checkout" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stepz"], "Did you mean 'steps'?"),
        (["steps", "seed=1"], "seeds=0,1,2 chooses the seeds"),
        (["steps", "task=imdb_dense"], "set by the experiment"),
        (["steps", "seeds=a,1"], "expected whole numbers such as 0,1,2, received 'a'"),
        (["steps", "strict=yes"], "expected true or false, received 'yes'"),
        (["steps", "trainer.epoch=1"], "Did you mean 'trainer.epochs'?"),
        (["steps", "trainer.epochs=0"], "trainer.epochs"),
        (["steps", "--fast"], "no such flag"),
        (["steps", "--config-dir", "nowhere"], "expected a folder, received 'nowhere'"),
    ],
)
def test_wrong_words_run_nothing(question, words, told, capsys):
    assert main(["reproduce", *words]) == 2
    assert told in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_demo_that_is_not_there_is_told(question, capsys):
    question.joinpath("experiment.yaml").write_text("question: q\ndemo: clock_lookups\n")
    assert main(["reproduce", "steps"]) == 2
    assert "no demo is called 'clock_lookups' Did" in " ".join(capsys.readouterr().err.split())


def test_a_demo_that_fails_stops_no_run(question, capsys):
    text = (question / "experiment.yaml").read_text()
    question.joinpath("experiment.yaml").write_text(text.replace("seeds: [0, 1]", "seeds: [0]\ndemo: clock_lookup"))
    Path("runs").mkdir()
    Path("runs", "demos").write_text("a file where the folder should be")
    assert main(["reproduce", "steps", *SMALL]) == 4
    shown = capsys.readouterr().out
    assert "demo clock_lookup failed: can't write runs/demos/clock_lookup/results.json" in shown
    assert "steps · 2 runs" in shown


def test_a_demo_is_run_and_its_values_are_kept(question, capsys):
    question.joinpath("experiment.yaml").write_text(
        "question: q\ndemo: clock_lookup\nclaims:\n- {claim: read right, metric: accuracy, low: 0.999}\n"
    )
    assert main(["reproduce", "all", "strict=true", "write=true"]) == 0
    assert "within 0.999 or more" in capsys.readouterr().out
    assert json.loads(Path("runs/demos/clock_lookup/results.json").read_text()) == {"accuracy": 1.0}
    assert "| demo | read right | - | 1 | - | within 0.999 or more |" in (question / "README.md").read_text()


# Judging, without runs


def done(folder: Path, task: str, seed: int, loss: float, source: str = "real", words: tuple[str, ...] = ()) -> Done:
    path = folder / f"{task}{seed}"
    path.mkdir()
    metrics = {"val": {}, "test": {"loss": loss}}
    summary = {"task": task, "seed": seed, "metrics": metrics, "data_source": source, "seconds": 1.0}
    path.joinpath("summary.json").write_text(json.dumps(summary))
    commit = {"commit": "0123456789", "dirty": seed == 1}
    made = {"device": "CPU", "versions": {"torch": "2.0"}, "dlrun": commit}
    path.joinpath("environment.json").write_text(json.dumps(made))
    return Done(task, seed, RunFolder(path), summary, list(words))


def claim(**more) -> Claim:
    return Claim(**({"claim": "c", "run": "a", "metric": "test.loss"} | more))


def test_differences_are_taken_seed_by_seed(tmp_path):
    runs = [done(tmp_path, "a", 0, 5.0), done(tmp_path, "a", 1, 7.0), done(tmp_path, "b", 0, 1.0)]
    runs += [done(tmp_path, "b", 1, 2.0), done(tmp_path, "a", 2, 100.0)]  # b has no seed 2
    (judged,) = judge([claim(minus="b", low=1)], runs, {})
    assert judged.values == {0: 4.0, 1: 5.0}
    assert judged.measured == "4.5 ± 0.71 (2)"
    assert judged.each == "4, 5"
    assert judged.verdict == "within 1 or more"


def test_the_mean_decides_and_seeds_outside_are_named(tmp_path):
    runs = [done(tmp_path, "a", seed, loss) for seed, loss in enumerate((1.0, 2.0, 6.0))]
    within, outside, figure = judge([claim(high=4), claim(high=2), claim()], runs, {})
    assert within.verdict == "within 4 or less; seed 2 outside"
    assert outside.verdict == "outside 2 or less"
    assert figure.verdict == "-"
    assert [j.fails for j in (within, outside, figure)] == [False, True, False]


def test_sample_data_and_changed_runs_are_not_compared_on_either_side(tmp_path):
    runs = [done(tmp_path, "a", 0, 5.0), done(tmp_path, "b", 0, 1.0, "sample")]
    runs.append(done(tmp_path, "c", 0, 1.0, words=("task=c", "optimizer.lr=1")))
    plain, sample, changed, missing = judge([claim(low=0), *(claim(minus=m, low=0) for m in "bcd")], runs, {})
    assert plain.verdict.startswith("within")
    assert sample.verdict == "not compared: sample data"
    assert changed.verdict == "not compared: changed by optimizer.lr=1"
    assert missing.verdict == "not measured"
    assert [j.fails for j in (plain, sample, changed, missing)] == [False, False, False, True]


def test_the_block_says_where_its_figures_come_from(tmp_path):
    runs = [done(tmp_path, "a", 0, 5.0), done(tmp_path, "a", 1, 7.0)]
    text = markdown("dlrun reproduce x", judge([claim(claim="with | in it", expected=5, low=0)], runs, {}), runs)
    assert "| `a` | with / in it | 5 | 6 ± 1.4 (2) | 5, 7 | within 0 or more |" in text
    assert "CPU, torch 2.0, commit 0123456 and 0123456 with changes, 2 runs, 2 s of training." in text


def test_a_block_written_twice_is_the_second_one(question):
    readme = results_file(question)
    for text in ("one", "two"):
        write_block(readme, text)
    assert readme.read_text() == f"# Steps\n\n{BEGIN}\ntwo\n{END}\n\nafter\n"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seeds=", "seeds: expected whole numbers such as 0,1,2, received none"),
        ("seeds=,", "expected whole numbers such as 0,1,2, received ','"),
        ("seeds=[]", "received '[]'"),
        ("runs_dir=", "runs_dir: expected a folder, received none"),
        ("wrote=true", "Did you mean 'write'? available: runs_dir, seeds, strict, write"),
        ("verbose=true", "available: runs_dir, seeds, strict, write"),
        ("optimiser=adam", "Did you mean 'optimizer'?"),
    ],
)
def test_words_that_choose_nothing_run_nothing(word, said, project, capsys):
    assert main(["reproduce", "imdb", word]) == 2
    assert said in capsys.readouterr().err
    assert not Path("runs").exists()
