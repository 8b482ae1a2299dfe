"""Boston's folds as one compiled job, against other runners that train them one after another."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _plots
from benchmarks._measure import DLRUN, PEERS, Result, Row, said, short, spread, timed

STEPS = 303  # rows that a fold trains on, one at a time: updates of an epoch
CLOCKED = [sys.executable, str(PEERS / "dlrun_clock.py")]
EMPTY, WARM = "dlrun, empty cache", "dlrun, warm cache"

Figures = dict[str, Any]
"""Of one process: `seconds` and `peak_gb` from outside; `update_seconds`, `mae` and more that it says itself."""


@dataclass(frozen=True)
class Size:
    """A job. words: of dlrun's command. parts: two numbers of epochs that tell a peer's fixed time from that of an
    epoch. empty, warm, update: how many times faster dlrun should be: the command with an empty cache, with a warm
    one, and an update of one model."""

    name: str
    words: tuple[str, ...]
    folds: int
    repeats: int
    epochs: int
    parts: tuple[int, int]
    empty: float
    warm: float
    update: float


SIZES = (
    Size("boston, 4 folds x 500 epochs", ("task=boston_dense_long",), 4, 1, 500, (4, 24), 4, 8, 15),
    Size("boston, 10 x 4 folds x 100 epochs", ("task=boston_dense_iterated_kfold", "evaluation.n_repeats=10"),
         4, 10, 100, (1, 3), 8, 20, 40),
)  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """words: a script in `peers/`, and what follows the numbers of a job. needs: packages beside torch. tuned: by an
    option or by hand, for this very job."""

    name: str
    words: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    tuned: bool = False


RUNNERS = (
    Peer("plain torch", ("boston_plain.py",)),
    Peer("torch, RMSprop by hand", ("boston_flat.py",), tuned=True),
    Peer("skorch", ("boston_skorch.py",), frozenset({"skorch"})),
    Peer("Lightning", ("boston_lightning.py",), frozenset({"lightning"})),
    *(
        Peer(
            f"Keras on {name}{more}",
            ("boston_keras.py", backend, str(steps)),
            frozenset({"keras", backend}),
            tuned=steps > 1,
        )
        for name, backend in (("JAX", "jax"), ("TensorFlow", "tensorflow"))
        for more, steps in (("", 1), (f", {STEPS} steps per execution", STEPS))
    ),
)


def run(rounds: int, python: str, packages: set[str], sizes: tuple[Size, ...] = SIZES) -> Result:
    """Every peer once, on two parts of the job; then dlrun, the fastest peer as it comes, and the fastest of all, in
    full and in turns.

    python: an interpreter that has `packages`.
    """
    result, bars = Result(), {}
    peers = [peer for peer in RUNNERS if peer.needs <= packages]
    for size in sizes:
        scaled = {peer.name: _scaled(peer, size, python) for peer in peers}
        ranked = sorted(peers, key=lambda peer: scaled[peer.name]["seconds"])
        fastest = dict.fromkeys([next(peer for peer in ranked if not peer.tuned), ranked[0]])
        whole: dict[str, list[Figures]] = {EMPTY: [], WARM: [], **{peer.name: [] for peer in fastest}}
        for _ in range(rounds):
            for name, figures in zip((EMPTY, WARM), _dlrun(size), strict=True):
                whole[name].append(figures)
            for peer in fastest:
                whole[peer.name].append(_peer(peer, size, size.epochs, python))
        for peer in fastest:
            del scaled[peer.name]
        result.rows += _rows(size, [peer.name for peer in fastest], whole, scaled)
        result.raw[size.name] = {**whole, "scaled": scaled}
        bars[size.name] = [(name, _median(figures, "seconds")) for name, figures in whole.items()]
        bars[size.name] += [(f"{name} (scaled)", figures["seconds"]) for name, figures in scaled.items()]
    _plots.bars(bars, "folds.png")
    return result


def _peer(peer: Peer, size: Size, epochs: int, python: str) -> Figures:
    script, *words = peer.words
    numbers = [str(n) for n in (size.folds, size.repeats, epochs)]
    with tempfile.TemporaryDirectory() as folder:
        command = [python if peer.needs else sys.executable, str(PEERS / script), *numbers, *words]
        seconds, _, peak = timed(command, folder)
        return {"seconds": seconds, "peak_gb": peak, **said(folder)}


def _scaled(peer: Peer, size: Size, python: str) -> Figures:
    """What the whole job would take: one process is started to read the packages, two are timed."""
    _peer(peer, size, 1, python)
    first, last = size.parts
    few, more = _peer(peer, size, first, python), _peer(peer, size, last, python)
    each = (more["seconds"] - few["seconds"]) / (last - first)
    return {**more, "seconds": more["seconds"] + each * (size.epochs - last), "parts": [few, more]}


def _dlrun(size: Size) -> tuple[Figures, Figures]:
    """The command with an empty cache and with the one it left; a third process has a clock inside and gives the
    time of an update."""
    with tempfile.TemporaryDirectory() as cache:
        empty, warm = (_command(size, cache) for _ in range(2))
        with tempfile.TemporaryDirectory() as folder:
            timed([*CLOCKED, *size.words, "trainer.plots=false"], folder, DLRUN_CACHE=cache)
            warm |= said(folder)
    return empty, warm


def _command(size: Size, cache: str) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        seconds, _, peak = timed([*DLRUN, "train", *size.words, "trainer.plots=false"], folder, DLRUN_CACHE=cache)
        (path,) = Path(folder).glob("runs/*/*/summary.json")
        summary = json.loads(path.read_text())
    own = {f"own_{key}": summary[key] for key in ("seconds", "seconds_per_epoch")}
    return {"seconds": seconds, "peak_gb": peak, "mae": summary["metrics"]["val"]["mae"]["mean"], **own}


def _rows(size: Size, fastest: list[str], whole: dict[str, list[Figures]], scaled: dict[str, Figures]) -> list[Row]:
    first, last = size.parts
    warm = _median(whole[WARM], "seconds")
    everyone = whole | {name: [figures] for name, figures in scaled.items()}
    peaks = [f"{name} {max(f['peak_gb'] for f in figures):.2f} GB" for name, figures in everyone.items()]
    maes = [f"{name} {_median(figures, 'mae'):.3f} k$" for name, figures in whole.items()]
    compared = (
        (f"the whole command: {EMPTY},", EMPTY, "seconds", size.empty),
        (f"the whole command: {WARM},", WARM, "seconds", size.warm),
        ("an update of one fold: dlrun", WARM, "update_seconds", size.update),
    )
    return [
        *(
            _compare(f"{size.name}, {what} against {name}", whole[ours], whole[name], key, least)
            for name in fastest for what, ours, key, least in compared
        ),
        *(
            Row(f"{size.name}, the whole command: {WARM}, against {name}, scaled from {first} and {last} epochs",
                f"{short(warm)} s against {short(f['seconds'])} s; an update {short(f['update_seconds'] * 1e6)} µs",
                f"{short(f['seconds'] / warm)} x as fast")
            for name, f in scaled.items()
        ),
        Row(f"{size.name}: peak memory", "; ".join(peaks)),
        Row(f"{size.name}: mean absolute error, last epoch, mean over folds", "; ".join(maes)),
    ]  # fmt: skip


def _compare(what: str, ours: list[Figures], theirs: list[Figures], key: str, least: float) -> Row:
    a, b = ([f[key] * (1 if key == "seconds" else 1e6) for f in figures] for figures in (ours, theirs))
    unit = " s" if key == "seconds" else " µs"
    factor = [y / x for x, y in zip(a, b, strict=True)]
    return Row(
        what,
        f"{spread(a, unit)} against {spread(b, unit)}",
        f"{spread(factor)} x as fast",
        f"at least {least:g} x as fast",
        statistics.median(factor) >= least,
    )


def _median(figures: list[Figures], key: str) -> float:
    return statistics.median(f[key] for f in figures)
