"""How long an epoch of LeNet-5 takes on each device and in PyTorch: the network of examples/lenet_digits.py, with Adam.

    python benchmarks/lenet.py
    python benchmarks/lenet.py --devices cpu torch --threads 1 --rounds 5 --batch 100

4,000 images of random numbers in batches of 32: forward, backward, a step of Adam. training.py has the method.
"""

from training import main

IMAGES = 4000


def lenet(nn):
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


def prepare(library, batch):
    """The step that is timed."""
    model = lenet(library.nn)
    optimizer = library.optim.Adam(model.parameters(), lr=0.003)
    images, labels = library.rand(IMAGES, 1, 28, 28), library.randint(0, 10, (IMAGES,))

    def step(number):
        rows = (library.arange(batch) + number * batch) % IMAGES
        loss = library.nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device

    return step


if __name__ == "__main__":
    main("LeNet-5", prepare, batch=32, images=IMAGES)
