"""Whether an update is compiled: what it costs, what it saves, and saying so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dlrun.compiled import Compiled
from dlrun.compiler import Call, Library, first_line, usual_compile_seconds
from dlrun.contracts import DataSpec, OptimizerSpec
from dlrun.loaders import Loader
from dlrun.optimizers._rule import RuleOptimizer
from dlrun.program import Program, restored
from dlrun.steps.supervised import Supervised
from dlrun.trainer import Eagerly, Updates

log = logging.getLogger("dlrun")

MOST_SAVED = (7 / 8, 0.002)
"""Of a small eager update seven eighths, and of any two milliseconds, is not arithmetic but the starting of
operations: about what compiling saves."""

SAVED_OF_RULE = 9 / 10
"""What compiling saves of an optimizer's rule, however large: it reads and writes each number once, and makes nothing
in between (27 ms fell to 1 for 5 million weights)."""

_given_up: set[Path] = set()
"""Libraries that could not be made: the next fold of the same run need not try again."""

COMPILE_SECONDS, COMPILE_RULE_SECONDS = 12.0, 8.0
"""Expected of a whole update, and of an optimizer's rule, where nothing has been compiled yet."""

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


@dataclass(frozen=True)
class Trial:
    """Something to compile. name: for messages. eager, compiled: seconds that it takes, the second with its code.
    saved: of so many eager seconds, about. cost: seconds to expect of compiling it. facts: what its graph depends on
    beside the step and shapes."""

    name: str
    function: Callable[..., Any]
    inputs: list[Tensor]
    eager: Callable[[], float]
    compiled: Callable[[Call], float]
    saved: Callable[[float], float]
    cost: float
    facts: dict[str, Any]


def choose(wish: Wish, step: Any, loader: Loader) -> tuple[Updates, bool]:
    """The updates of a training, and whether they are compiled. A compilation that fails is told in one line."""
    eagerly = Eagerly(step, loader)
    mode = {None: wish.mode, True: "always", False: "never"}[wish.remembered]
    if mode == "never" or loader.device.type not in ("cpu", "cuda"):
        return eagerly, False
    if getattr(type(step), "update", None) is not Supervised.update:
        log.debug("updates are not compiled: the step is one of your own")
        return eagerly, False
    try:
        step.ensemble.train(True)
        if wish.impossible:
            log.debug("updates are not compiled: %s", wish.impossible)
            return eagerly, _optimizer_compiled(mode, wish, step, loader)
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

    def eager() -> float:
        batches = loader.epoch(1)
        with program.restored():
            return timed(lambda: step.update(next(batches).batch), loader.steps)

    def compiled(call: Call) -> float:
        inputs = program.example()
        with program.restored():
            return timed(lambda: call(inputs), TIMED[0] + 1)

    def saved(seconds: float) -> float:
        return min(MOST_SAVED[0] * seconds, MOST_SAVED[1])

    trial = Trial(
        "the update", program.update, program.example(), eager, compiled, saved, COMPILE_SECONDS, program.facts()
    )
    return decided(mode, wish, trial)


def _optimizer_compiled(mode: str, wish: Wish, step: Any, loader: Loader) -> bool:
    """Whether at least the optimizer's part is: where models have numbers of their own, torch has no fast form."""
    optimizer = step.optimizer
    if not isinstance(optimizer, RuleOptimizer) or loader.device.type != "cpu":
        return False
    with restored(step):
        step.update(next(iter(loader.epoch(1))).batch)  # its gradients say what the inputs are
    inputs = optimizer.inputs()

    def seconds(update: Callable[[], Any]) -> float:
        with restored(step):
            return timed(update, TIMED[0] + 1)

    trial = Trial(
        "the optimizer's part of the update", optimizer.update, inputs,
        lambda: seconds(lambda: optimizer.update(*inputs)), lambda call: seconds(lambda: call(inputs)),
        lambda eager: SAVED_OF_RULE * eager, COMPILE_RULE_SECONDS, {},
    )  # fmt: skip
    optimizer.call = decided(mode, wish, trial)
    return optimizer.call is not None


def decided(mode: str, wish: Wish, trial: Trial) -> Call | None:
    """The code to use, if any; what was decided is said. Raises what the compiler raises."""
    library = Library({**wish.facts, **trial.facts, "what": trial.name}, trial.inputs)
    call = library.load()
    if call is None and library.folder in _given_up:
        return None
    if mode == "always":
        return call or _made(library, trial)
    eager = library.noted().get("eager") or trial.eager()
    if call is None:
        saved, cost = wish.updates * trial.saved(eager), usual_compile_seconds(trial.name, trial.cost)
        if saved < cost:
            log.info(
                "%s is not compiled: %s times %s are left, compiled about %.2g s faster, and compiling takes about "
                "%.2g s (trainer.compile=always)", trial.name, f"{wish.updates:,}", span(eager), saved, cost,
            )  # fmt: skip
            return None
        log.info("compiling %s: %s times %s are left", trial.name, f"{wish.updates:,}", span(eager))
        call = _made(library, trial)
    if "compiled" not in library.noted():
        library.note(eager=eager, compiled=trial.compiled(call))
    noted = library.noted()
    if noted["compiled"] >= eager:
        log.info("%s is not compiled: %s against %s eager", trial.name, span(noted["compiled"]), span(eager))
        return None
    log.info(
        "%s is compiled: %s against %s eager (compiled in %.2g s, kept for the next time)",
        trial.name, span(noted["compiled"]), span(eager), noted["compile_seconds"],
    )  # fmt: skip
    return call


def _made(library: Library, trial: Trial) -> Call:
    """Compiled; what fails is not tried again by this process."""
    try:
        return library.make(trial.function, trial.inputs)
    except Exception:
        _given_up.add(library.folder)
        raise


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
