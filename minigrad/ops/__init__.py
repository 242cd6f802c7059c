"""The differentiable operations: for each, a Function (forward and backward side by side) and the function users call.

Shapes in comments are those of arrays; `dy` is the gradient of the loss with respect to the result `y`, `dx` that with
respect to the input `x`. Tensor binds these functions as its methods, so their docstrings are the API's.
"""
