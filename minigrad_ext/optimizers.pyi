from typing import Any

def sgd(
    p: Any, g: Any, b: Any, lr: float, momentum: float, damping: float, decay: float, nesterov: bool, threads: int
) -> None: ...
def adam(
    p: Any, g: Any, m: Any, v: Any, most: Any, decay: float, shrink: float, new_mean: float, new_square: float,
    eps: float, step: float, threads: int,
) -> None: ...
