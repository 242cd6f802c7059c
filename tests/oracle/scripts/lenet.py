"""LeNet on small images: the shapes from layer to layer, training with a schedule, evaluating."""

import torch
from torch import nn

device = torch.device("cuda") if torch.cuda.is_available() else torch.get_default_device()

net = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(),
    nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(),
    nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Flatten(),
    nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(),
    nn.Linear(120, 84), nn.Sigmoid(),
    nn.Linear(84, 10))

X = torch.rand(size=(1, 1, 28, 28), dtype=torch.float32)
for layer in net:
    X = layer(X)
    print(layer.__class__.__name__, "output shape: \t", X.shape)


def init_weights(m):
    if type(m) in (nn.Linear, nn.Conv2d):
        nn.init.xavier_uniform_(m.weight)


net.apply(init_weights)
net.to(device)
labels = torch.arange(20) % 10
images = torch.rand(20, 1, 28, 28) * 0.2
for k in range(20):
    images[k, 0, 2 * int(labels[k]) : 2 * int(labels[k]) + 4] += 0.8
train_set, test_set = torch.utils.data.random_split(torch.utils.data.TensorDataset(images, labels), [15, 5])
train_iter = torch.utils.data.DataLoader(train_set, batch_size=8, shuffle=True)
optimizer = torch.optim.SGD(net.parameters(), lr=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
loss = nn.CrossEntropyLoss()
for epoch in range(2):
    net.train()
    running = 0.0
    for i, (X, y) in enumerate(train_iter):
        optimizer.zero_grad()
        y_hat = net(X)
        l = loss(y_hat, y)
        l.backward()
        optimizer.step()
        with torch.no_grad():
            running += l.item() * X.shape[0]
    scheduler.step()
    print(f"loss {running / len(train_set):.3f}, lr {scheduler.get_last_lr()[0]}, {optimizer.param_groups[0]['lr']}")
net.eval()
with torch.no_grad():
    scores = torch.cat([net(X) for X, _ in torch.utils.data.DataLoader(test_set, batch_size=4)])
