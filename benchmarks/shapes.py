"""The convolutions that are timed, by where they come from. Batches are such that most take a millisecond or more."""

from math import prod
from typing import NamedTuple

from minigrad.backends.geometry import ConvGeometry, Pair, conv_geometry


class Case(NamedTuple):
    x: tuple[int, int, int, int]
    w: tuple[int, int, int, int]
    stride: int = 1
    padding: int | Pair = 0
    dilation: int = 1
    groups: int = 1

    def geometry(self) -> ConvGeometry:
        return conv_geometry("conv2d", self.x, self.w, *map(pair, self[2:5]), self.groups)

    def bytes(self) -> int:
        """Of x, w and y in float32: what every method has to read or write at least once."""
        return 4 * sum(map(prod, (self.x, self.w, self.geometry().y_shape)))


def pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


NETWORKS = {
    "LeNet-5": {
        "lenet-1": Case((100, 1, 28, 28), (6, 1, 5, 5), padding=2),
        "lenet-2": Case((100, 6, 14, 14), (16, 6, 5, 5)),
    },
    "VGG, 32 x 32": {
        "vgg-3-64": Case((32, 3, 32, 32), (64, 3, 3, 3), padding=1),
        "vgg-64": Case((32, 64, 32, 32), (64, 64, 3, 3), padding=1),
        "vgg-64-128": Case((32, 64, 16, 16), (128, 64, 3, 3), padding=1),
        "vgg-128": Case((32, 128, 16, 16), (128, 128, 3, 3), padding=1),
        "vgg-128-256": Case((32, 128, 8, 8), (256, 128, 3, 3), padding=1),
        "vgg-256": Case((32, 256, 8, 8), (256, 256, 3, 3), padding=1),
        "vgg-512": Case((32, 512, 4, 4), (512, 512, 3, 3), padding=1),
    },
    "ResNet-18": {
        "resnet-stem": Case((2, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3),
        "resnet-64": Case((4, 64, 56, 56), (64, 64, 3, 3), padding=1),
        "resnet-128": Case((4, 128, 28, 28), (128, 128, 3, 3), padding=1),
        "resnet-256": Case((4, 256, 14, 14), (256, 256, 3, 3), padding=1),
        "resnet-512": Case((4, 512, 7, 7), (512, 512, 3, 3), padding=1),
        "resnet-64-128/2": Case((4, 64, 56, 56), (128, 64, 3, 3), stride=2, padding=1),
        "resnet-256-512/2": Case((4, 256, 14, 14), (512, 256, 3, 3), stride=2, padding=1),
        "resnet-1x1/2": Case((4, 64, 56, 56), (128, 64, 1, 1), stride=2),
    },
    "MobileNet": {
        "depthwise-32": Case((4, 32, 112, 112), (32, 1, 3, 3), padding=1, groups=32),
        "depthwise-64/2": Case((4, 64, 112, 112), (64, 1, 3, 3), stride=2, padding=1, groups=64),
        "depthwise-512": Case((4, 512, 14, 14), (512, 1, 3, 3), padding=1, groups=512),
        "1x1-32-64": Case((4, 32, 112, 112), (64, 32, 1, 1)),
        "1x1-512": Case((4, 512, 14, 14), (512, 512, 1, 1)),
    },
    "dilated segmentation": {
        "dilated-2": Case((2, 128, 64, 64), (128, 128, 3, 3), padding=2, dilation=2),
        "dilated-4": Case((2, 256, 32, 32), (256, 256, 3, 3), padding=4, dilation=4),
    },
    "others": {
        "edge": Case((1, 1, 6, 8), (1, 1, 1, 2)),  # the book's edge kernel: no arithmetic to speak of, all overhead
        "odd": Case((3, 13, 37, 29), (17, 13, 5, 3), padding=1),
        "5x5": Case((8, 32, 28, 28), (64, 32, 5, 5), padding=2),
        "1x7": Case((4, 128, 17, 17), (192, 128, 1, 7), padding=(0, 3)),
        "groups-4": Case((4, 64, 56, 56), (64, 16, 3, 3), padding=1, groups=4),
        "groups-32": Case((4, 128, 28, 28), (128, 4, 3, 3), padding=1, groups=32),
    },
}  # fmt: skip
CASES = {name: case for cases in NETWORKS.values() for name, case in cases.items()}
RESNET = ["resnet-64", "resnet-128", "resnet-256", "resnet-512"]
LESSON = "resnet-64"  # on which docs/ladder.md goes up the ladder
QUICK = ["lenet-1", LESSON, "depthwise-512", "odd"]
