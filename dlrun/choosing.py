"""Whether an update is compiled: what it costs, what it saves, and saying so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlrun.compiled import Compiled
from dlrun.compiler import Call, Library, first_line, usual_compile_seconds
from dlrun.contracts import DataSpec, OptimizerSpec
from dlrun.loaders import Loader
from dlrun.program import Program
from dlrun.trainer import Eagerly, Updates

log = logging.getLogger("dlrun")

MOST_SAVED = (7 / 8, 0.002)
"""Of a small eager update seven eighths, and of any two milliseconds, is not arithmetic but the starting of
operations: about what compiling saves."""

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


def impossible(spec: DataSpec, optimizer: OptimizerSpec) -> str | None:
    """Why an update of such data by such an optimizer can't be compiled, or None."""
    ragged = [name for name, given in spec.inputs.items() if given.encoding == "multi_hot"]
    if ragged:
        return f"rows of the multi-hot input {ragged[0]} differ in length from batch to batch"
    return None if optimizer.rule else "the optimizer has no rule as a function of tensors"


def choose(wish: Wish, step: Any, loader: Loader) -> tuple[Updates, bool]:
    """The updates of a training, and whether they are compiled. A compilation that fails is told in one line."""
    eagerly = Eagerly(step, loader)
    mode = {None: wish.mode, True: "always", False: "never"}[wish.remembered]
    if mode == "never" or wish.impossible:
        if wish.impossible and mode == "auto":
            log.debug("updates are not compiled: %s", wish.impossible)
        return eagerly, False
    try:
        call, program = _call(mode, wish, step, loader)
    except Exception as error:  # torch's compiler raises dozens of kinds; the run goes on without it
        log.warning("updates are not compiled: %s: %s", type(error).__name__, first_line(error))
        return eagerly, False
    return (Compiled(program, call, step, loader), True) if call else (eagerly, False)


def _call(mode: str, wish: Wish, step: Any, loader: Loader) -> tuple[Call | None, Program]:
    step.ensemble.train(True)
    program = Program(step, loader)
    if program.device.type == "cuda":
        from dlrun.cuda_graph import captured

        return captured(program), program
    if program.device.type != "cpu":
        raise RuntimeError(f"device {program.device} is not supported")
    inputs = program.inputs
    library = Library(wish.facts, inputs)
    call = library.load()
    if mode == "always":
        return call or library.make(program.update, inputs), program
    noted = library.noted()
    eager = noted.get("eager") or _eager_seconds(program, step, loader)
    if call is None:
        share, most = MOST_SAVED
        saved, cost = wish.updates * min(share * eager, most), usual_compile_seconds(COMPILE_SECONDS)
        if saved < 1.2 * cost:
            log.info(
                "updates are not compiled: %s left of %s would be faster by about %.3g s, and compiling takes about "
                "%.2g s (trainer.compile=always)", f"{wish.updates:,}", span(eager), saved, cost,
            )  # fmt: skip
            return None, program
        log.info("compiling the update: %s left of %s, one after another", f"{wish.updates:,}", span(eager))
        call = library.make(program.update, inputs)
    if "compiled" not in noted:
        library.note(eager=eager, compiled=_compiled_seconds(program, call, inputs))
    noted = library.noted()
    if noted["compiled"] >= eager:
        log.info("updates are not compiled: %s against %s eager", span(noted["compiled"]), span(eager))
        return None, program
    log.info(
        "updates are compiled: %s against %s eager (compiled in %.2g s, kept for the next time)",
        span(noted["compiled"]), span(eager), noted["compile_seconds"],
    )  # fmt: skip
    return call, program


def _eager_seconds(program: Program, step: Any, loader: Loader) -> float:
    """Seconds of an eager update."""
    batches = loader.epoch(1)
    with program.restored():
        return timed(lambda: step.update(next(batches).batch), loader.steps)


def _compiled_seconds(program: Program, call: Call, inputs: list[Any]) -> float:
    """Seconds of a compiled update."""
    with program.restored():
        program.begin(program.loader.plan(1), 0, None)
        return timed(lambda: call(inputs), program.loader.steps)


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
