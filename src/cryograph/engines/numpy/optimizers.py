"""Steps of optimizers. In a program they take the values of a variable and of its slots, and give the new ones.

Each optimizer is one formula of a gradient. A dense step applies it to the whole variable; a sparse one to the rows
that its indices name, and where a row is named more than once, once for each, in order. Source: TensorFlow's kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...base.errors import RunError
from ...base.tensors import Array
from .context import Context, Rule
from .forms import taking

Values = tuple[Array, ...]
Formula = Callable[..., Values]
"""`formula(xp, variable, *slots, **rest)`: the new values; `rest` are the other inputs by name, and attributes."""


def _gradient_descent(xp: Any, var: Array, *, lr: Array, grad: Array) -> Values:
    return (var - grad * lr,)


def _momentum(
    xp: Any, var: Array, accum: Array, *, lr: Array, grad: Array, momentum: Array, use_nesterov: bool
) -> Values:
    accum = accum * momentum + grad
    return var - (grad * lr + accum * momentum * lr if use_nesterov else accum * lr), accum


def _keras_momentum(
    xp: Any, var: Array, accum: Array, *, lr: Array, grad: Array, momentum: Array, use_nesterov: bool
) -> Values:
    accum = accum * momentum - grad * lr
    return var + (accum * momentum - grad * lr if use_nesterov else accum), accum


def _adam(
    xp: Any,
    var: Array,
    m: Array,
    v: Array,
    *vhat: Array,
    beta1_power: Array,
    beta2_power: Array,
    lr: Array,
    beta1: Array,
    beta2: Array,
    epsilon: Array,
    grad: Array,
    use_nesterov: bool = False,
) -> Values:
    """AMSGrad keeps the largest `v` there has been."""
    alpha = lr * xp.sqrt(1 - beta2_power) / (1 - beta1_power)
    m = m + (grad - m) * (1 - beta1)
    v = v + (grad * grad - v) * (1 - beta2)
    way = grad * (1 - beta1) + beta1 * m if use_nesterov else m
    kept = (v, *(xp.maximum(largest, v) for largest in vhat))
    return var - (way * alpha) / (xp.sqrt(kept[-1]) + epsilon), m, *kept


def _adamax(
    xp: Any,
    var: Array,
    m: Array,
    v: Array,
    *,
    beta1_power: Array,
    lr: Array,
    beta1: Array,
    beta2: Array,
    epsilon: Array,
    grad: Array,
) -> Values:
    m = m + (grad - m) * (1 - beta1)
    v = xp.maximum(beta2 * v, xp.abs(grad))
    return var - lr / (1 - beta1_power) * (m / (v + epsilon)), m, v


def _rms_prop(
    xp: Any, var: Array, ms: Array, mom: Array, *, lr: Array, rho: Array, momentum: Array, epsilon: Array, grad: Array
) -> Values:
    ms = ms + (grad * grad - ms) * (1 - rho)
    mom = mom * momentum + (grad * lr) / xp.sqrt(ms + epsilon)
    return var - mom, ms, mom


def _centered_rms_prop(
    xp: Any,
    var: Array,
    mg: Array,
    ms: Array,
    mom: Array,
    *,
    lr: Array,
    rho: Array,
    momentum: Array,
    epsilon: Array,
    grad: Array,
) -> Values:
    ms = ms + (grad * grad - ms) * (1 - rho)
    mg = mg + (grad - mg) * (1 - rho)
    mom = mom * momentum + (grad * lr) / xp.sqrt(ms - mg * mg + epsilon)
    return var - mom, mg, ms, mom


def _adadelta(
    xp: Any, var: Array, accum: Array, accum_update: Array, *, lr: Array, rho: Array, epsilon: Array, grad: Array
) -> Values:
    accum = accum * rho + grad * grad * (1 - rho)
    update = xp.sqrt(accum_update + epsilon) / xp.sqrt(accum + epsilon) * grad
    return var - update * lr, accum, accum_update * rho + update * update * (1 - rho)


def _adagrad(xp: Any, var: Array, accum: Array, *, lr: Array, grad: Array, update_slots: bool) -> Values:
    accum = accum + grad * grad if update_slots else accum
    return var - grad * lr / xp.sqrt(accum), accum


def _adagrad_v2(
    xp: Any, var: Array, accum: Array, *, lr: Array, epsilon: Array, grad: Array, update_slots: bool
) -> Values:
    accum = accum + grad * grad if update_slots else accum
    return var - grad * lr / (xp.sqrt(accum) + epsilon), accum


def _adagrad_da(
    xp: Any,
    var: Array,
    sums: Array,
    squares: Array,
    *,
    grad: Array,
    lr: Array,
    l1: Array,
    l2: Array,
    global_step: Array,
) -> Values:
    step = global_step.astype(var.dtype)
    sums, squares = sums + grad, squares + grad * grad
    way = xp.where(l1 > 0, xp.sign(sums) * xp.maximum(xp.abs(sums) - step * l1, 0), sums)
    return -lr * way / (l2 * (step * lr) + xp.sqrt(squares)), sums, squares


def _shrunk(xp: Any, var: Array, rate: Array, l1: Array, l2: Array) -> Array:
    """A variable drawn to 0 (Duchi and Singer 2009), by as much as the rate and two strengths say."""
    nearer = xp.where(l1 > 0, xp.sign(var) * xp.maximum(xp.abs(var) - rate * l1, 0), var)
    return nearer / (1 + l2 * rate)  # type: ignore[no-any-return]


def _proximal_gradient_descent(xp: Any, var: Array, *, lr: Array, l1: Array, l2: Array, grad: Array) -> Values:
    return (_shrunk(xp, var - grad * lr, lr, l1, l2),)


def _proximal_adagrad(xp: Any, var: Array, accum: Array, *, lr: Array, l1: Array, l2: Array, grad: Array) -> Values:
    accum = accum + grad * grad
    rate = lr / xp.sqrt(accum)
    return _shrunk(xp, var - grad * rate, rate, l1, l2), accum


def _ftrl(
    xp: Any,
    var: Array,
    accum: Array,
    linear: Array,
    *,
    grad: Array,
    lr: Array,
    l1: Array,
    l2: Array,
    lr_power: Array,
    multiply_linear_by_lr: bool,
    l2_shrinkage: Any = 0,
) -> Values:
    """McMahan et al. 2013. With `multiply_linear_by_lr` the linear slot, and the strengths, are times the rate."""
    after = accum + grad * grad
    powers = [xp.power(x, -lr_power) for x in (accum, after)]
    drift = powers[1] - powers[0]
    pull = grad + 2 * l2_shrinkage * var
    if multiply_linear_by_lr:
        linear, l1, below = linear + (pull * lr - drift * var), l1 * lr, powers[1] + 2 * l2 * lr
    else:
        linear, below = linear + (pull - drift / lr * var), powers[1] / lr + 2 * l2
    moved = xp.where(xp.abs(linear) > l1, (l1 * xp.sign(linear) - linear) / below, xp.zeros_like(var))
    return moved, after, linear


def _add_sign(
    xp: Any, var: Array, m: Array, *, lr: Array, alpha: Array, sign_decay: Array, beta: Array, grad: Array
) -> Values:
    m = m * beta + grad * (1 - beta)
    return var - lr * (alpha + sign_decay * (xp.sign(grad) * xp.sign(m))) * grad, m


def _power_sign(
    xp: Any, var: Array, m: Array, *, lr: Array, logbase: Array, sign_decay: Array, beta: Array, grad: Array
) -> Values:
    m = m * beta + grad * (1 - beta)
    return var - lr * xp.exp(logbase * sign_decay * (xp.sign(grad) * xp.sign(m))) * grad, m


# From a formula to rules


def _step(ctx: Context, formula: Formula, slots: int, names: Sequence[str], inputs: Values, **attrs: bool) -> Values:
    """A step on a whole variable, or on rows of it where `indices` are among the inputs."""
    state, rest = told(ctx, slots, names, inputs)
    indices = rest.pop("indices", None)
    if indices is not None:
        return _sparse(ctx, formula, state, rest, indices, attrs)
    made = formula(ctx.xp, *state, **rest, **attrs)
    return tuple(ctx.xp.asarray(value, old.dtype) for value, old in zip(made, state, strict=True))


def told(ctx: Context, slots: int, names: Sequence[str], inputs: Sequence[Any]) -> tuple[Values, dict[str, Any]]:
    """A variable with its slots, and the other inputs by name; RunError for what does not fit."""
    state, rest = tuple(inputs[:slots]), dict(zip(names, inputs[slots:], strict=True))
    shape = state[0].shape
    for name, value in rest.items():
        if name not in ("grad", "indices") and value.ndim:
            raise RunError(f"{name} is a single number, not {list(value.shape)}")
    if any(slot.shape != shape for slot in state):
        raise RunError(f"a variable {list(shape)} has slots {[list(slot.shape) for slot in state[1:]]}")
    given, indices = rest["grad"].shape, rest.get("indices")
    if indices is None:
        if given != shape:
            raise RunError(f"the gradient {list(given)} is not of the shape {list(shape)}")
        return state, rest
    if not shape or indices.ndim != 1:
        raise RunError(f"rows {list(indices.shape)} of a variable {list(shape)} cannot be stepped")
    if given != (indices.shape[0], *shape[1:]):
        raise RunError(f"the gradient {list(given)} does not fit {indices.shape[0]} rows of {list(shape)}")
    ctx.check((indices < 0) | (indices >= shape[0]), f"an index is not in [0, {shape[0]})")
    return state, rest


def _sparse(
    ctx: Context, formula: Formula, state: Values, rest: dict[str, Array], indices: Array, attrs: dict[str, bool]
) -> Values:
    grad, made = rest.pop("grad"), tuple(value.copy() for value in state)
    for places in _turns(indices):
        rows = indices[places]
        after = formula(ctx.xp, *(value[rows] for value in made), grad=grad[places], **rest, **attrs)
        for value, new in zip(made, after, strict=True):
            value[rows] = new
    return made


def _turns(indices: Array) -> Iterator[Array]:
    """The places of indices in turns in each of which none comes twice: the first of each index, the second ..."""
    order = np.argsort(indices, kind="stable")
    ranked = indices[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(ranked) else ranked
    counts = np.diff(np.append(starts, len(ranked)))
    turn = np.arange(len(ranked)) - np.repeat(starts, counts)
    for number in range(int(counts.max(initial=0))):
        yield order[turn == number]


def _rule(attrs: Mapping[str, bool], formula: Formula, slots: int, names: Sequence[str]) -> Rule:
    def rule(ctx: Context, *inputs: Array, **given: bool) -> Values:
        return _step(ctx, formula, slots, names, inputs, **{**attrs, **given})

    return taking(rule, **attrs)


_NESTEROV, _SLOTS, _LINEAR = {"use_nesterov": False}, {"update_slots": True}, {"multiply_linear_by_lr": False}
_POWERS = "beta1_power beta2_power lr beta1 beta2 epsilon grad"

OPTIMIZERS: dict[str, tuple[Mapping[str, bool], Formula, int, str, str]] = {
    "AdaMax": ({}, _adamax, 3, "beta1_power lr beta1 beta2 epsilon grad", "D"),
    "Adadelta": ({}, _adadelta, 3, "lr rho epsilon grad", "DS"),
    "Adagrad": (_SLOTS, _adagrad, 2, "lr grad", "DS"),
    "AdagradDA": ({}, _adagrad_da, 3, "grad lr l1 l2 global_step", "DS"),
    "AdagradV2": (_SLOTS, _adagrad_v2, 2, "lr epsilon grad", "DS"),
    "Adam": (_NESTEROV, _adam, 3, _POWERS, "D"),
    "AdamWithAmsgrad": ({}, _adam, 4, _POWERS, "R"),
    "AddSign": ({}, _add_sign, 2, "lr alpha sign_decay beta grad", "D"),
    "CenteredRMSProp": ({}, _centered_rms_prop, 4, "lr rho momentum epsilon grad", "DS"),
    "Ftrl": (_LINEAR, _ftrl, 3, "grad lr l1 l2 lr_power", "DS"),
    "FtrlV2": (_LINEAR, _ftrl, 3, "grad lr l1 l2 l2_shrinkage lr_power", "DS"),
    "GradientDescent": ({}, _gradient_descent, 1, "lr grad", "D"),
    "KerasMomentum": (_NESTEROV, _keras_momentum, 2, "lr grad momentum", "RS"),
    "Momentum": (_NESTEROV, _momentum, 2, "lr grad momentum", "DS"),
    "PowerSign": ({}, _power_sign, 2, "lr logbase sign_decay beta grad", "D"),
    "ProximalAdagrad": ({}, _proximal_adagrad, 2, "lr l1 l2 grad", "DS"),
    "ProximalGradientDescent": ({}, _proximal_gradient_descent, 1, "lr l1 l2 grad", "DS"),
    "RMSProp": ({}, _rms_prop, 3, "lr rho momentum epsilon grad", "DS"),
}
"""Optimizer -> the attributes of its rules, its formula, how many values it writes, what it takes besides, and which
ops there are: D on references and resources, R on resources only, S for rows of what D or R stands for."""


def _rules() -> Iterator[tuple[str, Rule]]:
    for word, (attrs, formula, slots, names, kinds) in OPTIMIZERS.items():
        for form in ("", "Sparse") if "S" in kinds else ("",):
            listed = names.replace("grad", "grad indices") if form else names
            rule = _rule(attrs, formula, slots, listed.split())
            for holder in ("Resource",) if "R" in kinds else ("", "Resource"):
                yield f"{holder}{form}Apply{word}", rule


RULES: dict[str, Rule] = dict(_rules())
