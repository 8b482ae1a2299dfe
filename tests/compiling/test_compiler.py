"""Machine code: right, kept for the next time, told apart, given up where it can't be had."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import kill_and_resume
import pytest
from _comparing import ALONE, BOSTON, FOLDS, POINTS, SMALL, WORDS, assert_compiled_is_eager, assert_same, train
from _running import Crash, at_batch, crash, only_run

from dlrun import choosing, compiler, registry
from dlrun.compiler import Library, cache_folder, usual_compile_seconds

ALWAYS = "trainer.compile=always"
ONE_LINE = re.compile(r"updates are not compiled: .*")
FAILS = """
from dlrun.compiler import Library
def make(self, function, inputs):
    raise RuntimeError("no compiler in this test")
Library.make = make
"""


def process(*words: str, before: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """`dlrun train` in a process of its own. before: Python lines that run first in it."""
    code = f"import sys\n{before}\nfrom dlrun.cli import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "train", *SMALL, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", **env}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def log_of(runs_dir: str = "runs") -> str:
    return only_run(runs_dir).log.read_text()


def differences(one: str = "runs", other: str = "unbroken") -> list[str]:
    return kill_and_resume.differences(kill_and_resume.results(Path(one)), kill_and_resume.results(Path(other)))


def test_compiled_is_eager_in_float32(real, uncompiled):
    assert train(*real, ALWAYS, "runs_dir=compiled") == 0
    assert train(*real, "trainer.compile=never", "runs_dir=eager") == 0
    assert not uncompiled
    assert "not compiled" not in log_of("compiled")
    assert only_run("compiled").path.name == only_run("eager").path.name
    assert_same("compiled", "eager", 1e-4)
    assert differences("compiled", "eager"), "machine code rounds in another way, so it was not run"


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The names of the libraries that are made."""
    found: list[str] = []
    make = Library.make
    monkeypatch.setattr(Library, "make", lambda self, *given: found.append(self.folder.name) or make(self, *given))
    return found


def test_compiled_stack_is_eager_in_float64(project, made):
    """With masks, dropout, penalties, clipping, and a rate that every update changes."""
    words = [*BOSTON, *FOLDS, "dataset.normalize=train", "architecture.dropout=0.3", "architecture.l2=0.01",
             "step.clipnorm=100", "schedule=cosine", "optimizer=adam", "optimizer.lr=0.01"]  # fmt: skip
    assert_compiled_is_eager(words, made)
    assert len(made) == 1


@pytest.mark.parametrize(
    "words", [pytest.param(ALONE, id="alone", marks=pytest.mark.slow), pytest.param(FOLDS, id="in a stack")]
)
def test_compiled_code_calls_our_operators(words, project, made):
    """Sums of rows of a table have no form that torch's compiler knows."""
    assert_compiled_is_eager([*WORDS, *words], made)


@pytest.mark.slow
@pytest.mark.parametrize("net", ["convolutional", "embedding", "recurrent", "lstm"])
@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
def test_compiled_nets_of_a_users_own(net, words, own, made):
    assert_compiled_is_eager([*own(net), *words], made)


@pytest.mark.slow
@pytest.mark.parametrize("words", [ALONE, FOLDS], ids=["alone", "in a stack"])
@pytest.mark.parametrize(
    "more",
    [["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.lr=1e-4"], ["optimizer=rmsprop", "optimizer.momentum=0.3"],
     ["optimizer=adamw"], ["optimizer=adagrad"], POINTS],
    ids=lambda more: more[0],
)  # fmt: skip
def test_compiled_optimizers_and_metrics(more, words, project, made):
    assert_compiled_is_eager([*BOSTON, *words, *more], made)


def test_the_next_process_needs_no_compiler(real):
    """And ends bit for bit where this one does."""
    after = (
        "import atexit\natexit.register(lambda: print('LOADED', [m for m in sys.modules if m.startswith('torch.')]))"
    )
    done = process(*real, ALWAYS, before=after)
    assert done.returncode == 0, done.stderr
    assert "updates are not compiled" not in done.stderr
    (loaded,) = (line for line in done.stdout.splitlines() if line.startswith("LOADED"))
    assert "torch._C" in loaded
    for name in ("torch._inductor", "torch._dynamo"):
        assert f"'{name}" not in loaded
    assert train(*real, ALWAYS, "runs_dir=here") == 0
    assert differences("runs", "here") == []


def test_auto_compiles_what_pays_and_says_so(libraries):
    log = (libraries / "log.txt").read_text()
    assert re.search(r"compiling the update: 24 times [\d.]+ (µs|ms) are left", log)
    assert re.search(
        r"the update is compiled: [\d.]+ (µs|ms) against [\d.]+ (µs|ms) eager \(compiled in [\d.]+ s, kept for the next",
        log,
    )
    (facts,) = libraries.glob("*/facts.json")
    noted = json.loads(facts.read_text())
    assert 0 < noted["compiled"] < noted["eager"] < 1
    assert 0.5 < noted["compile_seconds"] < 600
    for path in (facts.parent, facts.parent / "update.so"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {path.name for path in facts.parent.iterdir()} == {"update.so", "facts.json"}, "nothing else is left"


def test_auto_takes_what_is_there(real, uncompiled):
    """However short the run: loading costs nothing."""
    assert train(*real, "trainer.epochs=1") == 0
    assert "the update is compiled" in log_of()
    assert not uncompiled


@pytest.fixture
def empty(project, monkeypatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("DLRUN_CACHE", str(project / "libraries"))
    return project / "libraries"


def test_auto_leaves_a_short_run_alone_and_says_why(empty, uncompiled):
    assert train(*BOSTON, *ALONE) == 0
    assert re.search(
        r"the update is not compiled: 16 times [\d.]+ (µs|ms) are left, compiled about [\d.e-]+ s faster, and compiling "
        r"takes about 12 s \(trainer.compile=always\)",
        log_of(),
    ), log_of()
    assert not uncompiled


def test_auto_asks_what_compiling_took_before(copied, uncompiled):
    """Of another update: 20 epochs of 8 updates save a fraction of a second."""
    facts = json.loads((copied / "facts.json").read_text())
    (copied / "facts.json").write_text(json.dumps({**facts, "compile_seconds": 0.001}))
    assert train(*BOSTON, *ALONE, "trainer.epochs=20", "architecture.units=[7]") == 0
    assert len(uncompiled) == 1
    assert "compiling the update: 160 times" in log_of()


def test_auto_gives_up_code_that_is_slower(copied, real, uncompiled):
    facts = json.loads((copied / "facts.json").read_text())
    (copied / "facts.json").write_text(json.dumps({**facts, "eager": 1e-4, "compiled": 2e-4}))
    assert train(*real) == 0
    assert "the update is not compiled: 200 µs against 100 µs eager" in log_of()
    assert train(*real, "trainer.compile=never", "runs_dir=unbroken") == 0
    assert differences() == []


def test_timing_changes_no_result(copied, real):
    """`auto` where nothing was timed yet tries both ways; what is learned then is forgotten."""
    assert train(*real, ALWAYS, "runs_dir=unbroken") == 0
    noted = json.loads((copied / "facts.json").read_text())
    (copied / "facts.json").write_text(json.dumps({k: v for k, v in noted.items() if k not in ("eager", "compiled")}))
    assert train(*real) == 0
    assert "the update is compiled" in log_of()
    assert differences() == []


def test_always_is_refused_where_it_is_impossible(project, capsys):
    """Before anything is read or written."""
    assert train(*BOSTON, "optimizer=lbfgs", ALWAYS) == 2
    error = capsys.readouterr().err
    assert "trainer.compile" in error
    assert "'always' is impossible here: the optimizer has no rule" in error
    assert "use auto or never" in error
    assert not Path("runs").exists()


KEY = [*BOSTON, *ALONE, "trainer.epochs=1"]
OTHER = {
    "batch size": ["trainer.batch_size=44"],
    "precision": ["trainer.precision=float64"],
    "width": ["architecture.units=[5]"],
    "depth": ["architecture.units=[4,4]"],
    "activation": ["architecture.activation=tanh"],
    "dropout": ["architecture.dropout=0.1"],
    "penalty": ["architecture.l2=0.1"],
    "optimizer": ["optimizer=adam"],
    "momentum": ["optimizer.momentum=0.5"],
    "centered": ["optimizer.centered=true"],
    "loss": ["loss=mae"],
    "metrics": ["metrics=[mae]"],
    "clipnorm": ["step.clipnorm=1"],
    "clipvalue": ["step.clipvalue=1"],
    "normalize": ["dataset.normalize=no"],
    "models": ["evaluation.order=shuffled", "evaluation.n_repeats=2"],
    "batches without padding": ["trainer.steps_per_epoch=3"],
}
EQUAL = {
    "lr": ["optimizer.lr=0.5"],
    "rho": ["optimizer.rho=0.5"],
    "epsilon": ["optimizer.epsilon=0.1"],
    "seed": ["seed=7"],
    "epochs": ["trainer.epochs=2"],
    "schedule": ["schedule=cosine"],
    "rows held out": ["evaluation.validation=82"],
    "steps": ["trainer.steps_per_epoch=17"],
    "their order": ["evaluation.order=shuffled"],
    "callbacks": ["callbacks=[checkpoint,early_stopping]"],
}


@pytest.fixture
def key(project, uncompiled, monkeypatch):
    """The library of a run's update, by its name."""
    monkeypatch.setattr(Library, "load", lambda self: None)

    def key(*words: str) -> str:
        uncompiled.clear()
        choosing._given_up.clear()
        assert train(*words, ALWAYS, "rerun=true") == 0
        assert len(uncompiled) == 1
        return uncompiled[0]

    return key


@pytest.mark.parametrize("what", OTHER)
def test_another_update_has_another_library(what, key):
    assert key(*KEY) != key(*KEY, *OTHER[what])


@pytest.mark.parametrize("what", EQUAL)
def test_what_is_handed_to_an_update_is_none_of_its_library(what, key):
    assert key(*KEY) == key(*KEY, *EQUAL[what])


def test_momentum_is_handed_over(key):
    words = [*KEY, "optimizer=sgd", "optimizer.lr=1e-4"]
    assert key(*words, "optimizer.momentum=0.5") == key(*words, "optimizer.momentum=0.9") != key(*words)
    assert key(*words, "optimizer.momentum=0.5", "optimizer.nesterov=true") != key(*words, "optimizer.momentum=0.5")


WHOLE, PADDED = "evaluation.validation=44", "evaluation.validation=45"
"""360 rows to train on are 8 batches of 45; 359 are 8 as well, but the last one's last row is padding."""


def test_batches_with_padding_are_another_update(key):
    assert key(*KEY, WHOLE) != key(*KEY, PADDED)


def test_padding_is_never_learned_from(real, uncompiled):
    """By the code of an update that knows of no padding, which is in the cache."""
    assert WHOLE in real
    assert train(*real, PADDED, ALWAYS, "runs_dir=compiled") == 0
    assert train(*real, PADDED, "trainer.compile=never", "runs_dir=eager") == 0
    assert_same("compiled", "eager", 1e-4)


@pytest.mark.parametrize("installed", [False, True], ids=["plugins", "installed"])
def test_code_is_a_part_of_the_key(installed, own, key, write, project, monkeypatch):
    """That of a user's own, in a folder or in an installed package, whose next version may compute something else."""
    words = [*own("embedding"), *ALONE, "trainer.epochs=1"]
    file = project / "own" / "architectures" / "embedding.py"
    if installed:
        file = file.rename(project / "someones_nets.py")
        write("../someones_nets-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: someones-nets\nVersion: 1.0\n")
        write("../someones_nets-1.0.dist-info/entry_points.txt",
              "[dlrun.architectures]\nembedding = someones_nets\n")  # fmt: skip
        monkeypatch.syspath_prepend(str(project))
    registry._entry_points.cache_clear()
    before = key(*words)
    file.write_text(file.read_text().replace("torch.tanh", "torch.sin"))
    for module in ("someones_nets", "dlrun_plugins.architectures.embedding"):  # another process
        sys.modules.pop(module, None)
    compiler._code_digest.cache_clear()
    registry._entry_points.cache_clear()
    assert key(*words) != before


def test_blocks_are_a_part_of_the_key(write, project):
    """They are YAML, and a config only names them."""
    digests = []
    for units in (2, 2, 3):
        write("blocks/own.yaml", f"layers: [{{name: dense, units: {units}}}]")
        registry.add_plugins(project / "own")
        compiler._code_digest.cache_clear()
        digests.append(compiler._code_digest(tuple(registry.plugin_dirs())))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("stop", ["crash", "SIGTERM"])
def test_stopped_and_resumed_equals_unbroken(stop, real, uncompiled, monkeypatch):
    """Bit for bit, by the library that is there: after a crash from the last epoch, after a signal from the last
    update. What `auto` had decided is kept."""
    monkeypatch.setattr("dlrun.compiled.PORTION_SECONDS", 0.0)
    assert train(*real, "runs_dir=unbroken") == 0
    with monkeypatch.context() as patch:
        if stop == "crash":
            at_batch(patch, 13, crash)
            with pytest.raises(Crash):
                train(*real)
        else:
            at_batch(patch, 13, lambda: os.kill(os.getpid(), signal.SIGTERM))
            assert train(*real) == 75
    assert train(*real) == 0
    assert not uncompiled
    assert log_of().count("the update is compiled") == 1
    assert "not compiled" not in log_of()
    assert "resuming" in log_of()
    assert differences() == []


def test_a_run_that_began_eagerly_goes_on_so(project, uncompiled, monkeypatch):
    words = [*BOSTON, *ALONE, "trainer.epochs=3"]
    assert train(*words, "runs_dir=unbroken") == 0
    with monkeypatch.context() as patch:
        at_batch(patch, 13, crash)
        with pytest.raises(Crash):
            train(*words)
    monkeypatch.setattr("dlrun.choosing.COMPILE_SECONDS", 1e-9)
    assert train(*words, ALWAYS) == 0
    assert "resuming" in log_of()
    assert not uncompiled
    assert differences() == []


def test_without_a_compiler_a_run_goes_on_and_says_so_once(empty):
    done = process(*BOSTON, *ALONE, ALWAYS, CXX="/bin/false")
    assert done.returncode == 0, done.stderr
    assert len(ONE_LINE.findall(log_of())) == 1
    assert "Traceback" not in done.stderr
    assert not list(empty.glob("*/*"))
    assert train(*BOSTON, *ALONE, "trainer.compile=never", "runs_dir=unbroken") == 0
    assert differences() == []


def test_a_failed_compilation_is_tried_once_for_all_folds(project, uncompiled):
    """Four folds of 303 rows, one after another: each would wait for it anew."""
    words = [*BOSTON, "evaluation=kfold", "evaluation.stack=never", "trainer.epochs=1"]
    assert train(*words, ALWAYS) == 0
    assert len(uncompiled) == 1
    assert len(ONE_LINE.findall(log_of())) == 1


def test_a_cache_that_can_not_be_written_is_no_failure(project, monkeypatch):
    Path("file").write_text("no folder")
    monkeypatch.setenv("DLRUN_CACHE", str(project / "file" / "cache"))
    monkeypatch.setattr("dlrun.choosing.COMPILE_SECONDS", 1e-9)
    assert train(*BOSTON, *ALONE) == 0
    assert len(ONE_LINE.findall(log_of())) == 1


@pytest.mark.parametrize("what", ["folder", "update.so"])
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_library_that_others_could_have_written_is_not_loaded(what, mode, copied, real, uncompiled):
    path = copied if what == "folder" else copied / what
    path.chmod(mode)
    assert train(*real, ALWAYS) == 0
    assert f"{path} is not used: others could have written it" in log_of()
    assert uncompiled == [copied.name]


SPOILT = {
    "empty": lambda code: b"",
    "garbage": lambda code: b"not a library" * 1000,
    "head": lambda code: code[:4096],
    "zeros": lambda code: code[: len(code) // 3] + bytes(len(code) // 3) + code[2 * (len(code) // 3) :],
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_library_is_told_and_left(how, copied, real, uncompiled):
    """By a full disk or a copy that broke off. It must not take the process with it."""
    code = copied / "update.so"
    code.write_bytes(SPOILT[how](code.read_bytes()))
    code.chmod(0o700)
    if how in ("empty", "garbage"):
        assert train(*real, ALWAYS) == 0
    else:
        done = process(*real, ALWAYS, before=FAILS)
        assert done.returncode == 0, (done.returncode, done.stderr)
    assert f"{code} can't be used" in log_of()
    assert ONE_LINE.findall(log_of()) == ["updates are not compiled: RuntimeError: no compiler in this test"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"of": 1}', "no JSON"])
def test_a_library_without_its_facts_is_made_anew(text, copied, real, uncompiled):
    (copied / "facts.json").write_text(text)
    assert train(*real, ALWAYS) == 0
    assert uncompiled == [copied.name]


@pytest.mark.slow
@pytest.mark.parametrize("spoil", ["garbage", "mode", "facts"])
def test_what_can_not_be_used_is_compiled_anew(spoil, copied, real):
    if spoil == "mode":
        copied.chmod(0o777)
    elif spoil == "facts":
        (copied / "facts.json").write_text("{}")
    else:
        (copied / "update.so").write_bytes(SPOILT["garbage"](b""))
    words = [*real, ALWAYS]
    assert process(*words).returncode == 0
    assert "updates are not compiled" not in log_of()
    assert process(*words, "runs_dir=again", before=FAILS).returncode == 0
    assert "is not used" not in log_of("again")
    assert "can't be used" not in log_of("again")
    assert differences("runs", "again") == []


def test_updates_of_folds_that_follow_count(project, uncompiled):
    """One library serves them all: 3 folds of 2 epochs of 6 updates, then 2 of them, then 1."""
    assert train(*BOSTON, *FOLDS, "evaluation.stack=never") == 0
    told = re.findall(r"the update is not compiled: (\d+) times", log_of())
    assert told == ["36", "24", "12"]


def test_usual_compile_seconds_is_the_median(empty):
    """Files that say something else are passed over."""
    assert usual_compile_seconds(7.0) == 7.0
    texts = ["", "[]", "{}", '{"of": []}', *(json.dumps({"compile_seconds": s}) for s in (3, 9, 5))]
    for number, text in enumerate(texts):
        (empty / str(number)).mkdir(parents=True)
        (empty / str(number) / "facts.json").write_text(text)
    assert usual_compile_seconds(7.0) == 5.0


def test_the_cache_is_where_it_is_said_to_be(monkeypatch):
    monkeypatch.setenv("DLRUN_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("DLRUN_CACHE")
    assert cache_folder().parent == Path.home() / ".cache"
