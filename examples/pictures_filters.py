"""The pictures of learn_filters.py."""
# ruff: noqa: RUF001  (multiplication and minus signs are meant)

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from pictures import GREEN, ORANGE, SIGNED, STYLE, headline, number_text, powers_by_step, show_matrix

SCALES = {"blur": 256, "sobel": 1, "laplace": 1}  # what makes the weights of the kernel whole numbers


def show_image(axes, image, title="", subtitle="", low=None, high=None):
    axes.imshow(image, cmap="gray", vmin=low, vmax=high)
    axes.set_axis_off()
    headline(axes, title, subtitle)


def save_filters(file, filters, photograph, whitened, from_raw, from_white, outputs):
    """One page about learning three kernels: the photograph, the way there, and each filter with what it does.

    filters: the true kernels by name. from_raw, from_white: what was learned without and with whitening, as a pair of
    kernels (3, 5, 5) and largest errors by step. outputs: what the learned kernels make of the photograph.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 12))
        photo, white, way, *rows = figure.subplot_mosaic(
            [[0, 1, 2, 2], *[list(range(k, k + 4)) for k in (3, 7, 11)]],
            gridspec_kw={"left": 0.02, "right": 0.98, "top": 0.95, "bottom": 0.01, "hspace": 0.32, "wspace": 0.12},
            height_ratios=[1.17, 1, 1, 1],
        ).values()
        show_image(photo, photograph, "Photograph", "{} × {} pixels".format(*photograph.shape))
        show_image(white, whitened, "Whitened", "neighbours are no longer alike", -2, 2)
        draw_errors(way, from_raw[1], from_white[1])
        for k, (name, true) in enumerate(filters.items()):
            scale = SCALES[name]
            times = f"times {scale}, " if scale != 1 else ""
            titles = (f"{name.capitalize()}: the kernel", "Learned, not whitened", "Learned, whitened")
            kernels = (true, from_raw[0][k], from_white[0][k])
            for axes, title, kernel in zip(rows[4 * k :], titles, kernels, strict=False):
                limit = np.abs(true).max() * scale
                show_matrix(axes, np.round(kernel * scale, 0 if scale > 1 else 2), SIGNED, -limit, limit)
                text = "5 × 5" if kernel is true else f"error at most {error_text(np.abs(kernel - true).max())}"
                headline(axes, title, times + text)
            bounds = (None, None) if name == "blur" else (-1, 1)
            show_image(rows[4 * k + 3], outputs[k], "Photograph filtered", "by what was learned", *bounds)
        figure.savefig(file, dpi=90, format="png", metadata={"Software": None})


def error_text(error):
    return number_text(error) if error >= 0.01 else f"$10^{{{np.ceil(np.log10(max(error, 1e-9))):.0f}}}$"


def draw_errors(axes, raw, white):
    """The largest error of a weight by step, of both ways to learn."""
    for errors, colour, name, above in ((raw, ORANGE, "as it is", -16), (white, GREEN, "whitened", 9)):
        axes.plot(errors, "o-", color=colour, markersize=4)
        note = {"textcoords": "offset points", "ha": "right", "color": colour}
        axes.annotate(f"from the photograph {name}", (len(errors) - 1, errors[-1]), (0, above), **note)
    powers_by_step(axes, "step", len(raw) - 1)
    headline(axes, "Learning", "largest error of a weight")
    left, bottom, width, height = axes.get_position().bounds
    axes.set_position([left + 0.04, bottom + 0.03, width - 0.04, height - 0.03])  # room for its numbers


def save_network(file, images, shares, channels):
    """One page about the strength of edges: what a network and the best kernel make of the half they did not see.

    images: the photograph, its edges, and the two predictions. shares: of the variance that each explains.
    channels: what the first layer makes of the photograph, (16, height, width).
    """
    titles = ("Photograph", "Strength of edges", "Network", "Best single kernel")
    quality = [f"explains {100 * share:.1f} % of the variance" for share in shares]
    texts = ["the half not learned from", "true", *quality]
    alive = [channel for channel in channels if channel.std() > 0]
    alive.sort(key=lambda channel: np.corrcoef(channel.flat, images[1].flat)[0, 1], reverse=True)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 9.2))
        upper = figure.add_gridspec(left=0.02, right=0.98, top=0.925, bottom=0.37, ncols=4, nrows=1, wspace=0.1)
        lower = figure.add_gridspec(left=0.02, right=0.98, top=0.28, bottom=0.015, ncols=8, nrows=1, wspace=0.06)
        for axes, image, title, text in zip(upper.subplots(), images, titles, texts, strict=True):
            bounds = (None, None) if image is images[0] else (0, images[1].max())
            show_image(axes, image, title, text, *bounds)
        for axes, channel in zip(lower.subplots(), alive, strict=False):
            show_image(axes, channel)
        headline(figure.axes[4], "First layer of the network", "the 8 channels, after relu, that tell most about edges")
        figure.savefig(file, dpi=90, format="png", metadata={"Software": None})
