"""From a `program.Program` to machine code that needs no compiler the next time.

The update is traced into one graph of operations and handed to torch's compiler ahead of time (AOTInductor), which
writes a shared library; loading it again takes a millisecond and imports none of the compiler. The library lies in
a folder named by all that it depends on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlrun import registry
from dlrun.files import write_text
from dlrun.layers._tracing import traced

log = logging.getLogger("dlrun")

THREADED = 2**16
"""Numbers in the largest tensor of an update from which it runs in several threads: some ten microseconds of work.
Below it, waking another thread takes longer than what it does, and far longer on a busy machine."""

Call = Callable[[list[Tensor]], list[Tensor]]
"""Runs the update on a program's inputs; returns what it returns."""


def cache_folder() -> Path:
    """`DLRUN_CACHE`, or a folder in the user's cache."""
    given = os.environ.get("DLRUN_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "dlrun_compiled"


class Library:
    """One update's place in the cache. facts: what the graph depends on beside the inputs' shapes and our code."""

    def __init__(self, facts: dict[str, Any], inputs: list[Tensor]):
        self.described = {**facts, "inputs": [_form(t) for t in inputs], **_machine(str(inputs[0].device))}
        digest = hashlib.sha256(json.dumps(self.described, sort_keys=True).encode()).hexdigest()[:24]
        self.folder = cache_folder() / digest
        self.code = self.folder / "update.so"
        self.calls = self.folder / "update.json"
        """Which operators of ours the code calls: torch looks for it under this name."""
        self.facts = self.folder / "facts.json"

    def load(self) -> Call | None:
        """The update compiled before, or None where there is none that can be trusted and read."""
        if not self.code.exists():
            return None
        try:
            for path in (self.folder, self.code):
                found = path.stat()
                if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    log.warning("%s is not used: others could have written it", path)
                    return None
            noted = self.noted()
            if noted.get("of") != self.described:
                return None
            if noted.get("sha256") != hashlib.sha256(self.code.read_bytes()).hexdigest():
                log.warning("%s can't be used: it is not what was compiled", self.code)
                return None
            run: Call = torch._C._aoti.AOTIModelContainerRunnerCpu(str(self.code), 1).run
        except (OSError, RuntimeError) as error:
            log.warning("%s can't be used: %s", self.code, first_line(error))
            return None
        return run

    def make(self, function: Callable[..., Any], inputs: list[Tensor]) -> Call:
        """Compile. Raises whatever torch's compiler does, or RuntimeError where its result can't be loaded."""
        began = time.perf_counter()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch, _quietly(), _own_cache(scratch):
            made = Path(compile_ahead(trace(function, inputs), inputs))
            made.chmod(0o700)
            if (calls := made.with_suffix(".json")).exists():
                shutil.move(calls, self.calls)
            shutil.move(made, self.code)
        digest = hashlib.sha256(self.code.read_bytes()).hexdigest()
        self.note(compile_seconds=round(time.perf_counter() - began, 2), sha256=digest)
        call = self.load()
        if call is None:
            raise RuntimeError(f"{self.code} was compiled and can't be loaded")
        return call

    def note(self, **values: float | str) -> None:
        """Remember figures beside the code."""
        write_text(self.facts, json.dumps({**self.noted(), **values, "of": self.described}, indent=1) + "\n")

    def noted(self) -> dict[str, Any]:
        """Figures remembered: `compile_seconds`, `eager` and `compiled` seconds per update."""
        return _noted(self.facts)


def _noted(path: Path) -> dict[str, Any]:
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def usual_compile_seconds(default: float) -> float:
    """What compiling took here before, in the middle."""
    noted = [_noted(path) for path in cache_folder().glob("*/facts.json")]
    seconds = [n["compile_seconds"] for n in noted if "compile_seconds" in n]
    return float(sorted(seconds)[len(seconds) // 2]) if seconds else default


def trace(function: Callable[..., Any], inputs: list[Tensor]) -> torch.fx.GraphModule:
    """The function as a graph of operations; its changes of inputs stand at the end, as copies into them. Raises
    RuntimeError where it draws from torch's random generators."""
    from torch.func import functionalize
    from torch.fx.experimental.proxy_tensor import make_fx

    with traced():
        recorded = make_fx(function, tracing_mode="fake")(*inputs)
    # In two steps, because torch computes no gradients of its own kind inside of `functionalize`.
    graph = make_fx(functionalize(recorded), tracing_mode="fake")(*inputs)
    drawn = [n.name for n in graph.graph.nodes if torch.Tag.nondeterministic_seeded in getattr(n.target, "tags", ())]
    if drawn:
        raise RuntimeError(f"a layer draws random numbers by {drawn[0]}, and compiled it would draw others")
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def compile_ahead(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> str:
    """The shared library of a graph."""
    from torch._inductor import config
    from torch._inductor.compile_fx import compile_fx_aot

    options: dict[str, Any] = {
        # Two headers precompiled take longer than what they save in one compilation, and nobody debugs the code.
        "aot_inductor.precompile_headers": False,
        "aot_inductor.enable_line_tables": False,
        "aot_inductor.enable_frame_pointer": False,
        "aot_inductor.package": False,
    }
    if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        options["cpp.vec_isa_ok"] = True  # torch itself uses them: no trial compilations to find out
    if not worth_threads(graph):
        options["cpp.threads"] = 1
    known = config.get_config_copy()  # older releases of torch know fewer
    made = compile_fx_aot(graph, list(inputs), config_patches={k: v for k, v in options.items() if k in known})
    assert isinstance(made, str)
    return made


def worth_threads(graph: torch.fx.GraphModule) -> bool:
    """Whether any operation is large enough for several threads to be worth waking."""
    made = (n.meta.get("val") for n in graph.graph.nodes if n.op == "call_function")
    return max((t.numel() for t in made if isinstance(t, Tensor)), default=0) >= THREADED


def _form(t: Tensor) -> list[Any]:
    return [str(t.dtype), list(t.shape), list(t.stride()), str(t.device)]


def _machine(device: str) -> dict[str, Any]:
    """Code, versions and processor that a library is good for."""
    return {
        "torch": torch.__version__,
        "code": _code_digest(tuple(registry.plugin_dirs())),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "device": device,
    }


@cache
def _code_digest(plugins: tuple[Path, ...]) -> str:
    """Of every file that may have a say in an update."""
    digest = hashlib.sha256()
    for path in registry.code():
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _processor() -> str:
    """Kind of processor with what it can do, where the machine tells."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        told = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines if ":" in line}
        kinds = [told.get(name, "") for name in ("model name", "flags", "Features")]
        return hashlib.sha256("\n".join(kinds).encode()).hexdigest()[:16]
    import platform

    return platform.processor() or platform.machine()


@contextlib.contextmanager
def _own_cache(folder: str) -> Iterator[None]:
    """torch's own intermediate files go where they are deleted; its cache of headers and checks is kept apart."""
    name = "TORCHINDUCTOR_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What torch's compiler says on its way is not for our users; what it raises is."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch._inductor", "torch.utils.cpp_extension")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def first_line(error: BaseException) -> str:
    """What an error says, short."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
