"""How long the training of a small VGG takes on each device and in PyTorch: images 3x32x32, batch norm, Adam.

    python benchmarks/vgg.py
    python benchmarks/vgg.py --devices cpu torch --threads 1 --rounds 5 --batch 100 --images 500

An epoch is 10 batches of 32: forward, backward, a step of Adam. training.py has the method.

Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015); batch norm
and one small classifier, as is usual for images of this size.
"""

from training import main

CHANNELS = [64, 64, None, 128, 128, None, 256, 256, None]  # of each convolution; None is a pooling


def vgg(nn):
    layers, channels = [], 3
    for out in CHANNELS:
        if out is None:
            layers += [nn.MaxPool2d(2)]
        else:
            layers += [nn.Conv2d(channels, out, kernel_size=3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
    layers += [nn.Flatten(), nn.Linear(256 * 4 * 4, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10)]
    return nn.Sequential(*layers)


def prepare(library, batch):
    """The step that is timed."""
    model = vgg(library.nn)
    optimizer = library.optim.Adam(model.parameters(), lr=0.001)
    images, labels = library.randn(batch, 3, 32, 32), library.randint(0, 10, (batch,))

    def step(_):
        loss = library.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device

    return step


if __name__ == "__main__":
    main("A small VGG", prepare, batch=32, images=320)
