"""Pictures for the examples, drawn by matplotlib straight into a file: no display is needed."""
# ruff: noqa: RUF001  (multiplication and minus signs are meant)

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

BLUE, ORANGE, GREEN, INK, PALE = "#0072b2", "#d55e00", "#00825f", "#333333", "#c8c8c8"  # distinct to the colour-blind
SIGNED = LinearSegmentedColormap.from_list("signed", [ORANGE, "white", BLUE])  # -1, 0, 1
VALLEY = LinearSegmentedColormap.from_list("valley", ["white", "#d5dbe2"])
STYLE = {"axes.edgecolor": PALE, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}


def save_learning(file, image, target, prediction, losses, kernels, wanted, hessian, lr):
    """One page about learning a kernel of two weights: what goes in, what comes out, and the way there.

    image, target, prediction: matrices. losses[t], kernels[t]: after t epochs. wanted: the kernel behind the target.
    hessian: second derivatives of the loss, which is quadratic, so they are the same everywhere.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 8.3))
        rows = {"left": 0.045, "right": 0.985, "nrows": 1}
        upper = figure.add_gridspec(ncols=3, top=0.925, bottom=0.595, wspace=0.08, width_ratios=[8, 7, 7], **rows)
        lower = figure.add_gridspec(ncols=2, top=0.48, bottom=0.065, wspace=0.14, width_ratios=[1, 1.02], **rows)
        (x, y, y_hat), (loss, path) = upper.subplots(), lower.subplots()
        show_matrix(x, image, "gray", 0)
        headline(x, "Image X", "{} × {} pixels, 1 is white, 0 is black".format(*image.shape))
        show_matrix(y, target, SIGNED, -1)
        headline(y, "Target Y", f"X correlated with {row_text(wanted)}: its edges")
        show_matrix(y_hat, prediction, SIGNED, -1)
        headline(y_hat, f"Prediction at epoch {len(kernels) - 1}", f"X correlated with {row_text(kernels[-1])}")
        draw_losses(loss, losses, hessian, lr)
        draw_path(path, np.array(kernels), np.array(wanted), hessian, lr)
        figure.savefig(file, dpi=110, format="png", metadata={"Software": None})


def headline(axes, title, subtitle):
    place = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(title, (0, 1), (0, 23), fontsize=12.5, weight="bold", **place)
    axes.annotate(subtitle, (0, 1), (0, 8), fontsize=10, **place)


def number_text(value):
    """Two decimals at most, and a true minus sign."""
    text = f"{value:.0e}".replace("e+", "e") if abs(value) >= 1000 else f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


def row_text(numbers):
    return f"[{', '.join(map(number_text, numbers))}]"


def show_matrix(axes, matrix, colours, low, high=1):
    """Every element as a square coloured from `low` to `high`, with its number inside."""
    picture = axes.imshow(matrix, cmap=colours, vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(matrix):
        red, green, blue, _ = picture.to_rgba(value)
        colour = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.6 else INK
        axes.text(column, row, number_text(value), ha="center", va="center", fontsize=8.5, color=colour)
    axes.set_xticks(np.arange(1, matrix.shape[1]) - 0.5, [])
    axes.set_yticks(np.arange(1, matrix.shape[0]) - 0.5, [])
    axes.grid(color=PALE, linewidth=0.6)
    axes.tick_params(length=0)


def draw_losses(axes, losses, hessian, lr):
    """On a logarithmic axis, where shrinking by a constant factor is a straight line."""
    axes.plot(losses, "o-" if len(losses) < 60 else "-", color=GREEN, markersize=5)
    limit = 2 / np.linalg.eigvalsh(hessian)[-1]
    headline(axes, "Loss", f"sum of (prediction − target)², learning rate {lr:g} (limit {limit:.4f})")
    powers_by_step(axes, "epoch", len(losses) - 1)


def powers_by_step(axes, step, last):
    """From step 0 to the last one, over powers of ten: bare axes with lines across."""
    axes.set_yscale("log", nonpositive="mask")
    axes.set(xlabel=step, xlim=(-0.04 * max(1, last), 1.04 * max(1, last)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_text(value)))
    axes.yaxis.set_minor_formatter("")
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def power_text(value):
    return f"{value:g}" if 0.01 <= value <= 1000 else f"$10^{{{np.log10(value):.0f}}}$"


def draw_path(axes, kernels, wanted, hessian, lr):
    """The kernel after each epoch, over lines of equal loss: (w - wanted)^T H (w - wanted) / 2."""
    curvatures, directions = draw_valley(axes, wanted, hessian)
    draw_slopes(axes, wanted - (2.4, 0.35), curvatures, directions, lr)

    far = np.abs(kernels - wanted).max(axis=1) > 100  # a path that diverges ends where nobody looks any more
    path = kernels[: far.argmax()] if far.any() else kernels
    axes.plot(*path.T, "o-", color=GREEN, markersize=5, linewidth=1.4)
    for epoch, kernel in enumerate(path[:5]):
        beside = {"xytext": (-10, -10) if epoch % 2 else (6, 3), "textcoords": "offset points"}
        axes.annotate(str(epoch), kernel, color=GREEN, fontsize=9, annotation_clip=True, **beside)
    axes.plot(*wanted, "*", color=INK, markersize=12)
    axes.annotate(row_text(wanted), wanted, (9, -13), textcoords="offset points")

    headline(axes, "Path of the kernel", "numbered by epoch, over lines of equal loss")


def draw_valley(axes, wanted, hessian):
    """Lines of equal loss around its lowest point. Returns the curvatures, and their directions as columns."""
    right, up = np.meshgrid(np.linspace(-2.75, 0.85, 301), np.linspace(-0.8, 2, 301))
    error = np.stack([right, up])
    loss = np.einsum("a...,ab,b...->...", error, hessian, error) / 2
    levels = [0.3, 1, 3, 10, 30, 100]
    plane = (wanted[0] + right, wanted[1] + up, loss)
    axes.contourf(*plane, levels=[0, *levels, np.inf], colors=VALLEY(np.linspace(0, 1, len(levels) + 1)))
    lines = axes.contour(*plane, levels=levels, colors="white", linewidths=1)
    curvatures, directions = np.linalg.eigh(hessian)
    crossings = [wanted + abs(directions[:, -1]) * np.sqrt(2 * level / curvatures[-1]) for level in (3, 10, 30)]
    axes.clabel(lines, manual=crossings, fontsize=8, colors=INK, fmt="%g")
    axes.set(xlim=(plane[0].min(), plane[0].max()), ylim=(plane[1].min(), plane[1].max()), aspect="equal")
    axes.set(xlabel="first weight", ylabel="second weight")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return curvatures, directions


def draw_slopes(axes, centre, curvatures, directions, lr):
    """The directions in which the loss is gentlest and steepest, with what an epoch does to the error along each."""
    for curvature, direction in zip(curvatures, directions.T, strict=True):
        tip = direction * np.sign(direction[0]) * 0.28
        axes.annotate("", centre - tip, centre + tip, arrowprops={"arrowstyle": "<->", "color": INK, "linewidth": 0.9})
        text = f"curvature {curvature:.0f}\nerror × {number_text(1 - lr * curvature)} per epoch"
        axes.annotate(text, centre + tip, (4, 0), textcoords="offset points", va="center", fontsize=8.5)


def save_newton(file, paths, wanted, hessian, descent, newton):
    """One page about second derivatives: ways down a quadratic valley, and errors where the loss is not quadratic.

    paths: by method, the two weights after each step. wanted, hessian: of the valley. descent, newton: error by step.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.1))
        frame = {"left": 0.06, "right": 0.985, "top": 0.87, "bottom": 0.105, "wspace": 0.17}
        valley, errors = figure.subplots(1, 2, gridspec_kw={**frame, "width_ratios": [1.14, 1]})
        draw_valley(valley, wanted, hessian)
        headline(valley, "Quadratic loss: the edge kernel", "three ways to the lowest point, over lines of equal loss")
        for (name, points), colour in zip(paths.items(), (ORANGE, BLUE, GREEN), strict=True):
            valley.plot(*points.T, "o-", color=colour, markersize=4, linewidth=1.4, label=name)
        valley.plot(*wanted, "*", color=INK, markersize=12, zorder=3)
        valley.annotate(row_text(wanted), wanted, (9, -13), textcoords="offset points")
        valley.legend(loc="lower left", fontsize=9, frameon=False, title="steps to come within 0.0001")
        valley.get_legend().set(alignment="left")

        headline(errors, "Not quadratic: the detector", "largest error of a weight")
        errors.plot(descent, "o-", color=BLUE, markersize=4)
        errors.plot(newton, "o-", color=GREEN, markersize=4)
        powers_by_step(errors, "step", len(descent) - 1)
        note = {"textcoords": "offset points", "fontsize": 9.5}
        errors.annotate("gradient descent: the error\nshrinks by a constant factor", (len(descent) - 1, descent[-1]),
                        (0, 38), ha="right", color=BLUE, **note)  # fmt: skip
        last = int(np.argmax(newton < 1e-6))
        errors.annotate("Newton: the error is squared\nat every step, down to rounding", (last, newton[last]), (12, 0),
                        va="center", color=GREEN, **note)  # fmt: skip
        figure.savefig(file, dpi=110, format="png", metadata={"Software": None})
