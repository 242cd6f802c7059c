"""Patient 11: the gate, y = x * sigmoid(x), made of operations that are all right. Someone wanted to save memory."""

import minigrad
from minigrad.teaching.clinic import see


def operation(x):
    opening = x.detach().sigmoid()
    return x * opening


def inputs():
    return [minigrad.randn(2, 5, dtype="float64", requires_grad=True)]


if __name__ == "__main__":
    see(operation, inputs())
