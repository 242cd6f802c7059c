"""Patient 12: y = log(1 + x^2), by way of NumPy. It does not learn at all."""

import numpy as np

import minigrad
from minigrad.teaching.clinic import see


def operation(x):
    return minigrad.tensor(np.log1p(x.detach().numpy() ** 2))


def inputs():
    return [minigrad.randn(4, dtype="float64", requires_grad=True)]


if __name__ == "__main__":
    see(operation, inputs())
