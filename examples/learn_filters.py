"""Learning the filters of image processing from a photograph and what the filters make of it.

    python examples/learn_filters.py
    python examples/learn_filters.py --device opencl --steps 40 --network-steps 2000

Given a photograph and its blurred copy, its Sobel edges and its Laplacian, one layer nn.Conv2d(1, 3, 5) learns all
three kernels. That is harder than it looks. The loss is a quadratic whose Hessian is the covariance of the photograph's
5 x 5 patches, and photographs are smooth: neighbours are nearly equal. So the loss is thousands of times steeper along
smooth kernels than along fine ones, and gradient descent, whose rate the steepest direction limits, crawls along the
others: after the 20 steps that this script takes, the kernels are hardly begun.

The way out is older than deep learning. Convolutions commute: if y = w * x, then h * y = w * (h * x) for any kernel h.
So both photographs may be filtered first, by an h that makes all directions about equally steep, and the kernel to
learn is still the same. This h is the middle row of C^(-1/2), where C is the covariance of patches; it answers to a dot
against its surroundings, much as cells of the retina do. Now 20 steps find every weight to six digits.

Last, a filter that no kernel can do: the strength of edges, sqrt(gx^2 + gy^2), whatever their direction. A network of
three layers learns it on the left half of the photograph and is judged on the right half, beside the best single
kernel, which is even allowed to be fitted to the right half. In the network's first layer some channels come to answer
to edges of one direction, some to those of another.

Source of h: Bell and Sejnowski, "The 'independent components' of natural scenes are edge filters" (1997).
Photograph: Commodore Grace M. Hopper, public domain, from the sample data of matplotlib.
"""

import sys

import numpy as np
from command_line import DEFAULT, check, new_parser, require, settle_picture

import minigrad
from minigrad import nn, optim
from minigrad.nn import functional as F

SIZE = 5  # of the kernels to learn
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "float32")
FILTERS = {
    "blur": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype("float32") / 256,  # nearly a Gaussian of variance 1
    "sobel": np.pad(SOBEL, 1),
    "laplace": np.pad(np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], "float32"), 1),
}


def photograph():
    """The photograph in grey and half size, (300, 256), black 0 and white 1."""
    from matplotlib.cbook import get_sample_data  # noqa: PLC0415  (its absence is reported by parse)
    from matplotlib.image import imread  # noqa: PLC0415

    with get_sample_data("grace_hopper.jpg") as file:
        red_green_blue = imread(file) / np.float32(255)
    grey = red_green_blue @ np.array([0.299, 0.587, 0.114], "float32")
    height, width = grey.shape
    return grey.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def covariance(x):
    """C[a, b]: the mean over all patches of x, (1, 1, height, width), of pixel a times pixel b."""
    patches = F.unfold(x, SIZE).squeeze(0)
    return (patches @ patches.T / patches.shape[1]).numpy(force=True).astype(float)


def whitening_kernel(x):
    """The middle row of C^(-1/2), as a kernel: what it leaves of x has hardly any covariance between pixels."""
    variances, directions = np.linalg.eigh(covariance(x))
    inverse_root = directions / np.sqrt(variances) @ directions.T
    h = inverse_root[SIZE * SIZE // 2].reshape(1, 1, SIZE, SIZE)
    return minigrad.tensor(h.astype("float32"))


def learn_kernels(x, y, true, steps):
    """Learns, from x (1, 1, height, width) and y (3, 1, smaller), the kernels `true` (3, 1, 5, 5) by gradient descent.

    The loss is the mean of (layer(x) - y)^2 over pixels, summed over filters. Its Hessian is 2 C for each filter.
    Returns the learned kernels, and the largest error of a weight after 0, 1, ... steps.
    """
    curvatures = 2 * np.linalg.eigvalsh(covariance(x))
    rate = 2 / (curvatures[0] + curvatures[-1])
    print(f"  condition number {curvatures[-1] / curvatures[0]:.1f}, rate {rate:.3g}")
    layer = nn.Conv2d(1, len(true), SIZE, bias=False)
    optimizer = optim.SGD(layer.parameters(), lr=rate)
    errors = [(layer.weight.detach() - true).abs().max().item()]
    for _ in range(steps):
        loss = ((layer(x).transpose(0, 1) - y) ** 2).mean() * len(true)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append((layer.weight.detach() - true).abs().max().item())
    return layer.weight.detach()[:, 0], errors


def linear_filters(x, steps):
    """The first part, with its report. Returns what its picture shows."""
    true = minigrad.tensor(np.stack(list(FILTERS.values()))[:, None])
    y = F.conv2d(x, true).transpose(0, 1)  # (3, 1, height, width): three grey images, so that h applies to each
    print(f"Kernels from the photograph and its filtered copies, {steps} steps of gradient descent")
    raw, raw_errors = learn_kernels(x, y, true, steps)
    print("Kernels from the same, whitened")
    h = whitening_kernel(x)
    white = F.conv2d(x, h)
    learned, errors = learn_kernels(white, F.conv2d(y, h), true, steps)
    outputs = F.conv2d(x, learned.unsqueeze(1)).squeeze(0)
    white, raw, learned, outputs = (tensor.numpy(force=True) for tensor in (white[0, 0], raw, learned, outputs))
    for (name, true), from_raw, from_white in zip(FILTERS.items(), raw, learned, strict=True):
        print(f"  {name:8} largest error of a weight: {np.abs(from_white - true).max():.1e}   "
              f"(not whitened: {np.abs(from_raw - true).max():.1e})")  # fmt: skip
    return white, (raw, raw_errors), (learned, errors), outputs


def edge_strength(x):
    """sqrt(gx^2 + gy^2) with the Sobel derivatives gx and gy of x."""
    across = minigrad.tensor(SOBEL[None, None])
    return (F.conv2d(x, across) ** 2 + F.conv2d(x, across.transpose(2, 3)) ** 2).sqrt()


def learn_network(x, y, steps, seed, count=16, size=24):
    """Learns y, (1, 1, h - 2, w - 2), from x, (1, 1, h, w), by Adam on random crops: `count` in each step."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU(), nn.Conv2d(16, 1, 1)
    )  # fmt: skip
    optimizer = optim.Adam(network.parameters(), lr=0.01)
    rng = np.random.default_rng(seed)
    rows, columns = x.shape[2] - size + 1, x.shape[3] - size + 1
    for step in range(1, steps + 1):
        corners = list(zip(rng.integers(rows, size=count), rng.integers(columns, size=count), strict=True))
        crops = minigrad.cat([x[:, :, i : i + size, j : j + size] for i, j in corners])
        wanted = minigrad.cat([y[:, :, i : i + size - 2, j : j + size - 2] for i, j in corners])
        loss = F.mse_loss(network(crops), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == steps:
            print(f"  step {step:4}  loss {loss.item():.2g}")
    return network


def best_linear(x, y):
    """The single 3 x 3 kernel and the constant that come closest to y in the mean square, by least squares."""
    patches = F.unfold(x, 3).squeeze(0).numpy(force=True).T
    inputs = np.append(patches, np.ones((len(patches), 1), patches.dtype), axis=1)
    weights = np.linalg.lstsq(inputs, y.flatten().numpy(force=True), rcond=None)[0].astype("float32")
    return minigrad.tensor(weights[:9].reshape(1, 1, 3, 3)), minigrad.tensor(weights[9:])


def explained(prediction, y):
    """The share of the variance of y that the prediction explains: 1 - mean (prediction - y)^2 / variance of y."""
    prediction, y = prediction.numpy(force=True), y.numpy(force=True)
    return 1 - np.mean((prediction - y) ** 2) / y.var()


def nonlinear_filter(x, steps, seed):
    """The second part, with its report. Returns what its picture shows."""
    y = edge_strength(x)
    half = x.shape[3] // 2
    print("Strength of edges: a network learns it on the left half of the photograph, and is tested on the right half")
    seen, wanted = x[..., :half], y[..., : half - 2]
    network = learn_network(seen, wanted, steps, seed)
    unseen, y = x[..., half:], y[..., half:]
    kernel, constant = best_linear(unseen, y)
    with minigrad.no_grad():
        predictions = {"network": network(unseen), "best single kernel": F.conv2d(unseen, kernel, constant)}
        channels = network[:2](unseen)  # what the first layer and its relu make of it
    shares = {name: explained(prediction, y) for name, prediction in predictions.items()}
    for name, share in shares.items():
        print(f"  {name:18} explains {100 * share:5.1f} % of the variance")
    images = [image[0, 0].numpy(force=True) for image in (unseen, y, *predictions.values())]
    return images, list(shares.values()), channels[0].numpy(force=True)


def main(arguments=None):
    """Learns, reports and draws. Returns the exit status."""
    options = parse(arguments)
    minigrad.manual_seed(options.seed)
    before = minigrad.get_default_device()
    minigrad.set_default_device(options.device)
    try:
        print(f"Learning filters on {options.device}, seed {options.seed}")
        grey = photograph()
        x = minigrad.tensor(grey - grey.mean())[None, None]
        linear = linear_filters(x, options.steps)
        nonlinear = nonlinear_filter(x, options.network_steps, options.seed)
    finally:
        minigrad.set_default_device(before)

    from pictures_filters import save_filters, save_network  # noqa: PLC0415  (needs matplotlib, see parse)

    save_filters(options.output, FILTERS, grey, *linear)
    second = options.output.with_stem(options.output.stem + "_network")
    save_network(second, *nonlinear)
    print(f"Pictures: {options.output}, {second}")
    return 0


def parse(arguments):
    """The command line, checked."""
    name = "learn_filters"
    output = f"the first picture; the second adds _network to its name (default: out/{name}_DEVICE.png)"
    parser = new_parser("Learn filters from a photograph.", output)
    add = parser.add_argument
    add("--steps", type=int, default=20, metavar="N", help="of gradient descent, for the kernels" + DEFAULT)
    add("--network-steps", type=int, default=600, metavar="N", help="of Adam, for the network" + DEFAULT)
    options = parser.parse_args(arguments)
    require(parser, "matplotlib", "the photograph comes with matplotlib")
    check(parser, options, steps=1, network_steps=1)
    settle_picture(parser, options, name)
    return options


if __name__ == "__main__":
    sys.exit(main())
