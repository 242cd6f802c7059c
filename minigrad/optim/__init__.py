"""Optimizers: they write parameters in place, from the gradients that backward() left in `.grad`. lr schedulers."""

from minigrad.absent import explain_absence as _explain_absence
from minigrad.optim import lr_scheduler
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]

_explain_absence(globals())
