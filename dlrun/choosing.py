"""Whether an update is compiled: what it costs, what it saves, and saying so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dlrun.compiled import Compiled
from dlrun.compiler import Call, Library, first_line, usual_compile_seconds
from dlrun.contracts import OptimizerSpec
from dlrun.loaders import Loader
from dlrun.optimizers._rule import RuleOptimizer
from dlrun.program import Program
from dlrun.steps.supervised import Supervised
from dlrun.trainer import Eagerly, Updates

log = logging.getLogger("dlrun")

MOST_SAVED = (7 / 8, 0.002)
"""Of a small eager update seven eighths, and of any two milliseconds, is not arithmetic but the starting of
operations: about what compiling saves."""

SAVED_OF_RULE = 9 / 10
"""And of an optimizer's rule written in torch's operations, however large: compiled it reads and writes each number
once, and makes nothing in between (27 ms fell to 1 for 5 million weights)."""

_given_up: set[Path] = set()
"""Libraries that could not be made: the next fold of the same run need not try again."""

COMPILE_SECONDS = 12.0
"""Expected where nothing has been compiled yet."""

TIMED = (5, 0.5)
"""Updates to time, and seconds after which it is enough."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. mode: `trainer.compile`. impossible: why there is no way, known beforehand. remembered:
    what was decided before a restart, which is kept. updates: how many are left. facts: what the graph depends on
    beside code and shapes."""

    mode: str
    impossible: str | None
    remembered: bool | None
    updates: int
    facts: dict[str, Any]


def impossible(optimizer: OptimizerSpec) -> str | None:
    """Why an update by such an optimizer can't be compiled, or None."""
    return None if optimizer.rule else "the optimizer has no rule as a function of tensors"


def choose(wish: Wish, step: Any, loader: Loader) -> tuple[Updates, bool]:
    """The updates of a training, and whether they are compiled. A compilation that fails is told in one line."""
    eagerly = Eagerly(step, loader)
    mode = {None: wish.mode, True: "always", False: "never"}[wish.remembered]
    if mode == "never" or loader.device.type not in ("cpu", "cuda"):
        return eagerly, False
    if wish.impossible:
        log.debug("updates are not compiled: %s", wish.impossible)
        return eagerly, False
    if getattr(type(step), "update", None) is not Supervised.update:
        log.debug("updates are not compiled: the step is one of your own")
        return eagerly, False
    try:
        step.ensemble.train(True)
        program = Program(step, loader)
        call = _call(mode, wish, program, step, loader)
    except Exception as error:  # torch's compiler raises dozens of kinds; the run goes on without it
        log.warning("updates are not compiled: %s: %s", type(error).__name__, first_line(error))
        return eagerly, False
    return (Compiled(program, call, step, loader), True) if call else (eagerly, False)


def _call(mode: str, wish: Wish, program: Program, step: Any, loader: Loader) -> Call | None:
    if program.device.type == "cuda":
        from dlrun.cuda_graph import captured

        call = captured(program)
        log.info("the update is captured as a CUDA graph")
        return call

    library = Library({**wish.facts, **program.facts()}, program.example())
    made = library.load()
    if made is None and library.folder in _given_up:
        return None
    if mode == "always":
        return made or _made(library, program)
    noted = library.noted()
    eager = noted.get("eager") or _eager_seconds(program, step, loader)
    if made is None:
        saved = min(MOST_SAVED[0] * eager, MOST_SAVED[1] + SAVED_OF_RULE * _rule_seconds(program, step))
        saved, cost = wish.updates * saved, usual_compile_seconds(COMPILE_SECONDS)
        if saved < cost:
            log.info(
                "the update is not compiled: %s times %s are left, compiled about %.2g s faster, and compiling takes "
                "about %.2g s (trainer.compile=always)", f"{wish.updates:,}", span(eager), saved, cost,
            )  # fmt: skip
            return None
        log.info("compiling the update: %s times %s are left", f"{wish.updates:,}", span(eager))
        made = _made(library, program)
    if "compiled" not in noted:
        library.note(eager=eager, compiled=_compiled_seconds(program, made))
    noted = library.noted()
    if noted["compiled"] >= eager:
        log.info("the update is not compiled: %s against %s eager", span(noted["compiled"]), span(eager))
        return None
    log.info(
        "the update is compiled: %s against %s eager (compiled in %.2g s, kept for the next time)",
        span(noted["compiled"]), span(eager), noted["compile_seconds"],
    )  # fmt: skip
    return made


def _made(library: Library, program: Program) -> Call:
    """Compiled; what fails is not tried again by this process."""
    try:
        return library.make(program.update, program.example())
    except Exception:
        _given_up.add(library.folder)
        raise


def _eager_seconds(program: Program, step: Any, loader: Loader) -> float:
    batches = loader.epoch(1)
    with program.restored():
        return timed(lambda: step.update(next(batches).batch), loader.steps)


def _compiled_seconds(program: Program, call: Call) -> float:
    inputs = program.example()
    with program.restored():
        return timed(lambda: call(inputs), TIMED[0] + 1)


def _rule_seconds(program: Program, step: Any) -> float:
    """What the optimizer takes of an eager update where models have numbers of their own: torch has no fast form."""
    if not isinstance(step.optimizer, RuleOptimizer):
        return 0.0
    loss = torch.zeros(())
    with program.restored():
        for weight in step.weights:
            weight.grad = torch.zeros_like(weight)
        return timed(lambda: step.optimizer.step(lambda: loss), TIMED[0] + 1)


def timed(update: Callable[[], Any], most: int) -> float:
    """Seconds of the fastest of a few calls, after one to warm up where there are several."""
    seconds, began = [], time.perf_counter()
    for _ in range(min(TIMED[0] + 1, most)):
        at = time.perf_counter()
        update()
        seconds.append(time.perf_counter() - at)
        if time.perf_counter() - began > TIMED[1]:
            break
    return min(seconds[1:] or seconds)


def span(seconds: float) -> str:
    """`11 µs`, `0.86 ms`, `1.2 s`."""
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= unit or name == "µs":
            return f"{seconds / unit:.3g} {name}"
    raise AssertionError
