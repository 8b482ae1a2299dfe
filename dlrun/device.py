"""Where a run computes, in which precision, and what happens when its memory is full."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dlrun.errors import ConfigError, Problem, RunError

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def pick(name: str) -> torch.device:
    """`auto` is CUDA when there is a GPU, else the CPU. Raises ConfigError for a device that is not here."""
    # Running means of squared gradients decay into denormal numbers, which a CPU computes with slowly.
    torch.set_flush_denormal(True)
    keep_freed_memory()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in there or (number and not number.isdigit()):
        raise ConfigError(Problem("trainer.device", f"expected auto, cpu, cuda, cuda:N or mps, received '{name}'"))
    if int(number or 0) >= there[kind]:
        here = ", ".join(f"{n} {k}" for k, n in there.items() if n)
        raise ConfigError(
            Problem("trainer.device", f"'{name}' is not on this machine", f"here: {here}; see dlrun doctor")
        )
    return torch.device(name)


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Let this process keep what a tensor leaves free for the next one.

    glibc gives blocks of megabytes back to the system at once, which then fills new pages with zeros: of an update of
    the book's convnet for 150 x 150 pictures a quarter of the processor's time. Elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def describe(device: torch.device) -> str:
    """The device as a person names it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def rng_state() -> dict[str, torch.Tensor]:
    """Torch's global generators. Our own layers need none of them; a user's component may."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state |= {str(i): s for i, s in enumerate(torch.cuda.get_rng_state_all())}
    return state


def set_rng_state(state: dict[str, torch.Tensor]) -> None:
    """Back to a saved state; generators of devices that are not here are left out."""
    torch.set_rng_state(state["cpu"].cpu())
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if str(i) in state:
            torch.cuda.set_rng_state(state[str(i)].cpu(), i)


@contextmanager
def memory_explained() -> Iterator[None]:
    """Raises RunError, which says what to do, where memory runs out inside."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        on_the_cpu = "can't allocate memory" in str(error)  # a plain RuntimeError
        if not on_the_cpu and not isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            raise
        first = (str(error).splitlines() or [""])[0].rpartition("] ")[2][:200]
        raise RunError(
            f"out of memory: {first}\nLower trainer.batch_size, trainer.eval_batch_size or the model's size, "
            "or set evaluation.stack=never. The last good state is kept."
        ) from None
