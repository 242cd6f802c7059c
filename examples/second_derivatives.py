"""What `create_graph` buys: second derivatives through conv2d, and Newton's method made of them.

    python examples/second_derivatives.py
    python examples/second_derivatives.py --device opencl --steps 20 --seed 3

minigrad.grad(loss, w, create_graph=True) returns a gradient that is itself the result of recorded operations: it has
gradients too. Those of its n elements are the rows of the Hessian H, the matrix of second derivatives. A gradient g
says which way is down; only the Hessian says how far to go. Newton's method asks both:

    gradient descent    w <- w - lr g
    Newton              w <- w - H^-1 g

First, the problem of learn_edge_kernel.py: two weights, and a loss that is exactly quadratic. Its Hessian is the same
everywhere, [[36, 24], [24, 36]] with the eigenvalues 12 and 60. Gradient descent multiplies the error by 1 - lr 12
along one direction and by 1 - lr 60 along the other, so it is stable below lr = 2 / 60 and fastest at
2 / (12 + 60) = 1 / 36, where both factors are 2/3 in size. Newton divides each direction by its own curvature: one
step and it is there.

Second, a loss that is not quadratic: the kernel of a detector that answers with probabilities,
sigmoid(conv2d(x, k) + b). One step is no longer enough, but near the solution each Newton step squares the error: the
number of right digits doubles. Gradient descent, at the best rate for the curvature at the solution, only multiplies it
by a constant.

The price: n backward passes and n^3 arithmetic for n weights. With H times a vector v, which is the gradient of
(g * v).sum(), larger problems are solved without the matrix.

Source: Nocedal and Wright, "Numerical Optimization" (2006), chapter 3.
"""

import sys

import numpy as np
from command_line import DEFAULT, check, new_parser, settle_picture
from learn_edge_kernel import image_and_edges

import minigrad
from minigrad.nn import functional as F


def gradient_and_hessian(loss, w):
    """First and second derivatives of loss(w) at the array w: (n,) and (n, n)."""
    w = minigrad.tensor(w, requires_grad=True)
    (gradient,) = minigrad.grad(loss(w), w, create_graph=True)
    rows = [minigrad.grad(element, w, retain_graph=True)[0] for element in gradient]
    return gradient.detach().numpy(force=True), minigrad.stack(rows).numpy(force=True)


def newton(loss):
    """The step w <- w - H^-1 g."""

    def step(w):
        gradient, hessian = gradient_and_hessian(loss, w)
        return w - np.linalg.solve(hessian, gradient)

    return step


def gradient_descent(loss, lr):
    """The step w <- w - lr g."""

    def step(w):
        w = minigrad.tensor(w, requires_grad=True)
        (gradient,) = minigrad.grad(loss(w), w)
        return (w.detach() - lr * gradient).numpy(force=True)

    return step


def path(step, start, steps):
    """The weights after 0, 1, ... steps, as one array (steps + 1, n)."""
    points = [start]
    for _ in range(steps):
        points.append(step(points[-1]))
    return np.array(points)


def edge_problem(dtype):
    """The loss of learn_edge_kernel.py as a function of the two weights, and the weights that make it 0."""
    X, Y, K = (tensor.to(dtype) for tensor in image_and_edges(minigrad.get_default_device()))
    return lambda w: ((minigrad.corr2d(X, w.reshape(1, 2)) - Y) ** 2).sum(), K.flatten().numpy(force=True)


def detector_problem(dtype):
    """The loss of a detector p = sigmoid(conv2d(x, k) + b) of vertical edges in a random image, and its solution.

    w holds the 3 x 3 kernel k, then b. The targets t are what the detector with the solution answers. The loss is the
    cross-entropy: with z = conv2d(x, k) + b,   - t log p - (1 - t) log (1 - p)  =  log(1 + e^z) - t z.
    It is convex, so that Newton's method finds its way from zero.
    """
    solution = np.array([0.5, 0, -0.5, 1, 0, -1, 0.5, 0, -0.5, -0.5], dtype)
    x = minigrad.randn(1, 1, 12, 12, dtype=dtype)

    def z(w):
        return F.conv2d(x, w[:9].reshape(1, 1, 3, 3)) + w[9]

    t = minigrad.sigmoid(z(minigrad.tensor(solution)))
    return lambda w: ((1 + z(w).exp()).log() - t * z(w)).sum(), solution


def errors(points, solution):
    """The largest difference to the solution after each step."""
    return np.abs(points - solution).max(axis=1)


def steps_to(limit, errors):
    """How many steps bring the error below the limit, in words."""
    return next((f"{n} step" + "s" * (n != 1) for n, error in enumerate(errors) if error < limit), "more steps")


def solve_edges(dtype, steps):
    """The first problem, with its report. Returns the paths by name, the solution and the Hessian."""
    loss, solution = edge_problem(dtype)
    start = (1.4 * minigrad.rand(2, dtype=dtype) - 0.7).numpy(force=True)
    _, hessian = gradient_and_hessian(loss, start)
    gentle, steep = np.linalg.eigvalsh(hessian)
    print("The edge kernel: two weights, a quadratic loss")
    for row in hessian:
        print("  Hessian           [{:g}, {:g}]".format(*row))
    print(f"  eigenvalues       {gentle:g} and {steep:g}")
    print(f"  rate of descent   stable below 2 / {steep:g} = {2 / steep:.5f}, best at 2 / ({gentle:g} + {steep:g}) = "
          f"{2 / (gentle + steep):.5f}")  # fmt: skip
    methods = {
        "gradient descent, rate 0.03": gradient_descent(loss, 0.03),
        "gradient descent, rate 1/36": gradient_descent(loss, 1 / 36),
        "Newton": newton(loss),
    }
    paths = {}
    for name, step in methods.items():
        far = path(step, start, 2 if name == "Newton" else max(steps, 100))
        needed = steps_to(1e-4, errors(far, solution))
        paths[f"{name}: {needed}"] = far[:2] if name == "Newton" else far[: steps + 1]
        print(f"  {name:28}within 0.0001 after {needed}")
    return paths, solution, hessian


def solve_detector(dtype, steps):
    """The second problem, with its report. Returns the errors of gradient descent and of Newton's method."""
    loss, solution = detector_problem(dtype)
    curvatures = np.linalg.eigvalsh(gradient_and_hessian(loss, solution)[1])
    rate = 2 / (curvatures[0] + curvatures[-1])
    start = np.zeros_like(solution)
    descent = errors(path(gradient_descent(loss, rate), start, steps), solution)
    squared = errors(path(newton(loss), start, min(steps, 7)), solution)
    print("The detector: ten weights, a loss that is not quadratic; largest error of a weight")
    print(f"  step  gradient descent, rate {rate:.4f}    Newton")
    for n, error in enumerate(descent):
        print(f"  {n:4}  {error:29.1e}" + (f"{squared[n]:10.1e}" if n < len(squared) else ""))
    return descent, squared


def main(arguments=None):
    """Solves both problems and draws. Returns the exit status."""
    options = parse(arguments)
    minigrad.manual_seed(options.seed)
    before = minigrad.get_default_device()
    minigrad.set_default_device(options.device)
    try:
        dtype = best_dtype(options.device)
        print(f"Second derivatives on {options.device}, {dtype}, seed {options.seed}")
        edges = solve_edges(dtype, options.steps)
        detector = solve_detector(dtype, options.steps)
    finally:
        minigrad.set_default_device(before)
    if options.output is None:
        print("No picture: it needs matplotlib. Install it with: pip install matplotlib")
    else:
        from pictures import save_newton  # noqa: PLC0415  (only where there is matplotlib)

        save_newton(options.output, *edges, *detector)
        print(f"Picture: {options.output}")
    return 0


def best_dtype(device):
    """float64 shows more digits double; some graphics cards have float32 alone."""
    try:
        minigrad.zeros(1, dtype="float64", device=device)
    except TypeError:
        return "float32"
    return "float64"


def parse(arguments):
    """The command line, checked. `output` is None if there is nothing to draw with."""
    name = "second_derivatives"
    parser = new_parser("Newton's method through conv2d.", f"the picture (default: out/{name}_DEVICE.png)")
    parser.add_argument("--steps", type=int, default=15, metavar="N", help="steps of gradient descent" + DEFAULT)
    options = parser.parse_args(arguments)
    check(parser, options, steps=1)
    settle_picture(parser, options, name)
    return options


if __name__ == "__main__":
    sys.exit(main())
