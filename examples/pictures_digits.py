"""The picture of lenet_digits.py."""
# ruff: noqa: RUF001  (multiplication and minus signs are meant)

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from pictures import BLUE, GREEN, INK, ORANGE, PALE, SIGNED, STYLE, VALLEY, headline


def save_training(file, history, kernels, images, labels, answers):
    """One page about a training: how it went, what is mistaken for what, what the first layer looks for.

    history: by epoch, a dict of loss, test_loss and right. kernels: of the first layer, (6, 5, 5).
    images, labels, answers: of the test set, with the digits that the network took the images for.
    """
    right = float((answers == labels).mean())
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 9.6))
        losses, rates, table, others = figure.subplots(
            2, 2, height_ratios=[1, 1.75],
            gridspec_kw={"left": 0.065, "right": 0.98, "top": 0.93, "bottom": 0.05, "hspace": 0.3, "wspace": 0.16},
        ).flat  # fmt: skip
        epochs = np.arange(1, len(history) + 1)
        draw_curve(losses, epochs, [epoch["loss"] for epoch in history], BLUE, "shifted digits it learns from")
        draw_curve(losses, epochs, [epoch["test_loss"] for epoch in history], ORANGE, "test set")
        losses.set_yscale("log")
        losses.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        losses.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        losses.yaxis.set_minor_formatter("")
        losses.legend(frameon=False, fontsize=10)
        headline(losses, "Loss", "cross-entropy, mean over an epoch")
        draw_curve(rates, epochs, [100 * (1 - epoch["right"]) for epoch in history], ORANGE)
        rates.set_ylim(bottom=0)
        headline(rates, "Errors on the test set", f"in percent; {100 * (1 - right):.1f} after the last epoch")
        draw_confusion(table, labels, answers)

        place = others.get_position()
        others.remove()
        sides = {"left": place.x0, "right": place.x1, "wspace": 0.2}
        first = figure.add_gridspec(1, 6, top=place.y1, bottom=place.y1 - 0.075, **sides).subplots()
        headline(first[0], "First layer", "its six kernels, 5 × 5; blue is positive, orange negative")
        for axes, kernel in zip(first, kernels, strict=True):
            limit = np.abs(kernel).max()
            show(axes, kernel, SIGNED, -limit, limit)
        rows = figure.add_gridspec(4, 6, top=place.y1 - 0.17, bottom=place.y0, hspace=0.27, **sides)
        draw_mistakes(list(rows.subplots().flat), images, labels, answers)
        figure.savefig(file, dpi=100, format="png", metadata={"Software": None})


def draw_mistakes(places, images, labels, answers):
    """As many as there are places for; the titles' distance is that of `headline`, above a line of text."""
    wrong = np.flatnonzero(answers != labels)
    shown = f"{len(places)} of the {len(wrong)}" if len(wrong) > len(places) else f"all {len(wrong)}"
    if len(wrong) > len(places):  # they may be sorted by digit
        wrong = wrong[np.linspace(0, len(wrong) - 1, len(places)).round().astype(int)]
    for axes in places:
        axes.set_axis_off()
    corner = {"xy": (0, 1), "xycoords": "axes fraction", "textcoords": "offset points"}
    places[0].annotate("Mistakes", xytext=(0, 33), fontsize=12.5, weight="bold", **corner)
    places[0].annotate(f"{shown}: the digit → what it was taken for", xytext=(0, 18), fontsize=10, **corner)
    for axes, k in zip(places, wrong, strict=False):
        show(axes, 1 - images[k], "gray", 0, 1)
        axes.set_title(f"{labels[k]} → {answers[k]}", fontsize=9.5, pad=3)


def show(axes, image, colours, low, high):
    axes.imshow(image, cmap=colours, vmin=low, vmax=high)
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])


def draw_curve(axes, epochs, values, colour, label=None):
    axes.plot(epochs, values, "o-", color=colour, markersize=4, label=label, clip_on=False)
    axes.set(xlabel="epoch", xlim=(0.5, max(2, len(epochs)) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def draw_confusion(axes, labels, answers):
    """How often each digit (row) is taken for each (column): the diagonal is right, and stays pale."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, answers), 1)
    mistakes = np.where(np.eye(10, dtype=bool), 0, counts)
    axes.imshow(mistakes, cmap=VALLEY, vmin=0, vmax=max(1, mistakes.max()))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = GREEN if row == column else INK
            axes.text(column, row, str(count), ha="center", va="center", fontsize=9.5, color=colour)
    axes.set(xticks=range(10), yticks=range(10), xlabel="taken for", ylabel="digit")
    axes.set_xticks(np.arange(0.5, 9), minor=True)
    axes.set_yticks(np.arange(0.5, 9), minor=True)
    axes.grid(which="minor", color=PALE, linewidth=0.6)
    axes.tick_params(which="both", length=0)
    headline(axes, "What is taken for what", f"{len(labels)} digits of the test set, after the last epoch")
