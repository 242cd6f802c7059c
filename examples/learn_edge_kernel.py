"""Learning the edge kernel: the experiment of "Convolutions for Images" in Dive into Deep Learning, on minigrad.

    python examples/learn_edge_kernel.py
    python examples/learn_edge_kernel.py --device opencl --epochs 40
    python examples/learn_edge_kernel.py --lr 0.036                     (too large, and the report says why)

An image, white with a black band, is cross-correlated with the kernel [1, -1], which leaves its edges. Given only the
image and its edges, gradient descent finds the kernel again.

The loss is a quadratic in the two weights whose Hessian has the eigenvalues 12 and 60. So every epoch multiplies the
error of the kernel by 1 - 12 lr along one direction and by 1 - 60 lr along the other: by 0.64 and by -0.8 at lr = 0.03.
The weights start at random between -0.71 and 0.71; for every seed, ten epochs therefore leave an error below
0.64^10 + 0.71 * 0.8^10 < 0.09, and forty epochs an error below 0.0001. From lr = 2 / 60 on, learning fails.

Source: https://d2l.ai/chapter_convolutional-neural-networks/conv-layer.html
"""

import math
import sys

import numpy as np
from command_line import DEFAULT, check, new_parser, settle_picture

import minigrad
from minigrad import nn, optim


def image_and_edges(device):
    """The image, 6 x 8 and white with four black columns; its edges, 1 from white to black and -1 back; the kernel."""
    X = minigrad.ones(6, 8, device=device)
    X[:, 2:6] = 0
    K = minigrad.tensor([[1.0, -1.0]], device=device)
    return X, minigrad.corr2d(X, K), K


def squared_error(layer, X, Y):
    """Layers take images as (batch, channels, height, width): ours is a batch of one image with one channel."""
    Y_hat = layer(X.reshape(1, 1, 6, 8))
    return ((Y_hat - Y.reshape(1, 1, 6, 7)) ** 2).sum()


def gradient_descent(layer, X, Y, lr):
    """Yields the loss and the kernel after 0, 1, 2 ... epochs, for as long as it is asked."""
    optimizer = optim.SGD(layer.parameters(), lr=lr)
    while True:
        loss = squared_error(layer, X, Y)
        yield loss.item(), layer.weight.flatten().tolist()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def hessian(loss, weight):
    """The second derivatives of the loss: row k is the gradient of element k of the gradient."""
    (gradient,) = minigrad.grad(loss, weight, create_graph=True)
    rows = [minigrad.grad(element, weight, retain_graph=True)[0].flatten() for element in gradient.flatten()]
    return minigrad.stack(rows).numpy().astype(float)


def report(kernel, wanted, epochs, lr, curvatures):
    """Prints how close the learned kernel came, and what more epochs would do. Returns whether lr is small enough."""
    errors = np.subtract(kernel, wanted)
    print("learned kernel  [{:#9.5g}, {:#9.5g}]".format(*kernel))
    print("edge kernel     [{:#9.5g}, {:#9.5g}]".format(*wanted))
    print(f"largest difference {np.abs(errors).max():.2g} at epoch {epochs}")
    steepest = curvatures.max()
    limit = 2 / steepest
    if lr >= limit:
        print(f"No convergence: lr {lr} must be below 2 / {steepest:.4g} = {limit:.5f}. Where the loss is steepest its")
        factor = f"1 - {steepest:.4g} lr = {1 - steepest * lr:.4g}"
        print(f"curvature is {steepest:.4g}, and there every epoch multiplies the error by {factor}.")
        return False
    slowest = np.abs(1 - lr * curvatures).max()
    further = next((n for n in range(1000) if np.linalg.norm(errors) * slowest**n < 1e-4), None)
    if further is None:
        print("To come within 0.0001 would take over 1000 more epochs: lr is very small, or close to its limit.")
    elif further > 0:
        print(f"Run with --epochs {epochs + further} to come within 0.0001.")
    return True


def main(arguments=None):
    """Learns, reports and draws. Returns the exit status: 1 if the learning rate is too large to learn."""
    options = parse(arguments)
    minigrad.manual_seed(options.seed)
    X, Y, K = image_and_edges(options.device)
    layer = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False, device=options.device)
    curvature = hessian(squared_error(layer, X, Y), layer.weight)

    print(f"Learning [1, -1] on {options.device}, lr {options.lr:g}, seed {options.seed}")
    losses, kernels = [], []
    for loss, kernel in gradient_descent(layer, X, Y, options.lr):
        epoch = len(losses)
        if not math.isfinite(loss):
            print(f"epoch {epoch:3}  loss beyond {X.dtype}, stopped")
            break
        losses.append(loss)
        kernels.append(kernel)
        if epoch % 2 == 0 or epoch == options.epochs:
            print(f"epoch {epoch:3}  loss {loss:.4g}")
        if epoch == options.epochs:
            break
    wanted = K.flatten().tolist()
    learning = report(kernels[-1], wanted, len(kernels) - 1, options.lr, np.linalg.eigvalsh(curvature))

    if options.output is None:
        print("No picture: it needs matplotlib. Install it with: pip install matplotlib")
    else:
        from pictures import save_learning  # noqa: PLC0415  (only where there is matplotlib)

        prediction = minigrad.corr2d(X, minigrad.tensor(kernels[-1:], device=options.device))
        matrices = [matrix.numpy() for matrix in (X, Y, prediction)]
        save_learning(options.output, *matrices, losses, kernels, wanted, curvature, options.lr)
        print(f"Picture: {options.output}")
    return 0 if learning else 1


def parse(arguments):
    """The command line, checked. `output` is None if there is nothing to draw with."""
    name = "learn_edge_kernel"
    output = f"the picture (default: out/{name}_DEVICE.png)"
    parser = new_parser("Learn the edge kernel [1, -1] from an image and its edges.", output)
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="steps of gradient descent" + DEFAULT)
    parser.add_argument("--lr", type=float, default=0.03, metavar="R", help="learning rate" + DEFAULT)
    options = parser.parse_args(arguments)
    check(parser, options, epochs=1)
    settle_picture(parser, options, name)
    return options


if __name__ == "__main__":
    sys.exit(main())
