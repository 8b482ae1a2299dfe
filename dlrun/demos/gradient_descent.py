"""Gradients by perturbation, momentum, step sizes, local minima: section 2.4 in figures and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dlrun import console
from dlrun.demos import _descent_pictures as pictures

Curve = Callable[[Tensor], Tensor]

START = 2.0
MOMENTUM = 0.1  # the book's, unusually small
USUAL_MOMENTUM = 0.9
LOW_ENOUGH = 0.01  # the book's loop runs while the loss is above it


def bowl(w: Tensor) -> Tensor:
    """The plainest loss of one weight: lowest, 0, at w = 0."""
    return w.square()


def two_valleys(w: Tensor) -> Tensor:
    """Local minimum near 0.96, global one near -1.04, a hill between them: the curve of figure 2-13."""
    return (w.square() - 1).square() + 0.3 * w


def surface(w: Tensor) -> Tensor:
    """A loss of two weights, w [..., 2], steep in one direction and flat in the other (figure 2-12)."""
    return 2 + 0.5 * w[..., 0].square() + 5 * w[..., 1].square()


def descend(curve: Curve, start: list[float], lr: float, momentum: float, steps: int, low: float = -math.inf) -> Tensor:
    """The book's loop (2.4.3): at most `steps` updates, while the loss is above `low`. Returns the weights before
    each update and after the last, [steps + 1, len(start)], float64.

    `velocity = momentum * velocity - lr * gradient`, then `w += momentum * velocity - lr * gradient`: Nesterov's
    form of momentum.
    """
    w = torch.tensor(start, dtype=torch.float64)
    velocity = torch.zeros_like(w)
    path = [w]
    for _ in range(steps):
        gradient, loss = torch.func.grad_and_value(lambda v: curve(v).sum())(w)
        if float(loss) <= low:
            break
        velocity = momentum * velocity - lr * gradient
        w = w + momentum * velocity - lr * gradient
        path.append(w)
    return torch.stack(path)


def run(folder: Path) -> dict[str, float]:
    """Figures by name; three pictures are put into `folder`."""
    plain = descend(bowl, [START], 0.02, 0.0, 10_000, LOW_ENOUGH)
    pushed = descend(bowl, [START], 0.02, MOMENTUM, 10_000, LOW_ENOUGH)
    valleys = {m: descend(two_valleys, [START], 0.01, m, 500) for m in (0.0, MOMENTUM, USUAL_MOMENTUM)}
    rates = {lr: descend(bowl, [START], lr, 0.0, 3) for lr in (0.02, 0.2, 0.98)}
    values = gradient_check() | {
        "nesterov_difference": against_torch(),
        "steps_plain": float(len(plain) - 1),
        "steps_momentum": float(len(pushed) - 1),
        "steps_saved": float(len(plain) - len(pushed)),
        "rest_plain": float(valleys[0.0][-1]),
        "rest_book_momentum": float(valleys[MOMENTUM][-1]),
        "rest_usual_momentum": float(valleys[USUAL_MOMENTUM][-1]),
        "lr_small_progress": float(1 - bowl(rates[0.02][-1]) / bowl(rates[0.02][0])),
        "lr_large_overshoots": float((rates[0.98][1:] * rates[0.98][:-1] < 0).sum()),
    }
    console.table(["what", "value"], [[SAID[k], console.number(v)] for k, v in values.items()],
                  "Gradient descent", right=["value"])  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    pictures.learning_rates(folder / "learning_rates.png", bowl, rates)
    pictures.path_on_surface(folder / "surface.png", surface, descend(surface, [-3.0, 2.0], 0.08, 0.0, 40))
    pictures.minima(folder / "minima.png", two_valleys, valleys)
    return values


SAID = {
    "gradient_error": "perturbing each weight against backpropagation: largest relative error",
    "perturbation_passes": "forward passes that perturbing took, two for each weight",
    "nesterov_difference": "the book's momentum loop against torch's SGD with nesterov: largest difference",
    "steps_plain": f"steps until the loss is {LOW_ENOUGH} or less, without momentum",
    "steps_momentum": f"steps with the book's momentum {MOMENTUM}",
    "steps_saved": "steps that momentum saved",
    "rest_plain": "two valleys, from w = 2: where descent without momentum rests",
    "rest_book_momentum": f"where it rests with momentum {MOMENTUM}",
    "rest_usual_momentum": f"where it rests with momentum {USUAL_MOMENTUM}",
    "lr_small_progress": "lr 0.02: share of the loss gone after three steps",
    "lr_large_overshoots": "lr 0.98: how many of three steps jumped over the minimum",
}


def gradient_check(step: float = 1e-5) -> dict[str, float]:
    """The gradient of a small net's loss by moving each weight a little both ways, against backpropagation."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(s, dtype=torch.float64, generator=generator) for s in ((16, 5), (16,)))
    shapes = {"w1": (5, 4), "b1": (4,), "w2": (4,), "b2": ()}
    weights = {n: torch.randn(s, dtype=torch.float64, generator=generator) for n, s in shapes.items()}

    def loss(weights: dict[str, Tensor]) -> Tensor:
        hidden = torch.tanh(x @ weights["w1"] + weights["b1"])
        return (hidden @ weights["w2"] + weights["b2"] - y).square().mean()

    exact = torch.func.grad(loss)(weights)
    worst, passes = 0.0, 0
    for name, weight in weights.items():
        for i in range(weight.numel()):
            moved = torch.zeros(weight.numel(), dtype=torch.float64)
            moved[i] = step
            up, down = ({**weights, name: weight + s * moved.view(weight.shape)} for s in (1, -1))
            slope = float(loss(up) - loss(down)) / (2 * step)
            worst = max(worst, abs(slope - float(exact[name].reshape(-1)[i])))
            passes += 2
    scale = max(float(g.abs().max()) for g in exact.values())
    return {"gradient_error": worst / scale, "perturbation_passes": float(passes)}


def against_torch(steps: int = 50) -> float:
    """Largest difference between the book's momentum loop and torch's optimizer on the surface."""
    ours = descend(surface, [-3.0, 2.0], 0.08, MOMENTUM, steps)
    w = torch.tensor([-3.0, 2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.08, momentum=MOMENTUM, nesterov=True)
    worst = 0.0
    for expected in ours[1:]:
        optimizer.zero_grad()
        surface(w).backward()
        optimizer.step()
        worst = max(worst, float((w.detach() - expected).abs().max()))
    return worst
