"""Softmax regression on small images, from scratch and with nn; the accuracy is counted the book's way."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

num_inputs, num_outputs = 16, 4
labels = torch.randint(0, num_outputs, (96,))
images = torch.randn(96, 1, 4, 4) * 0.3
images[torch.arange(96), 0, labels] += 1  # class k: row k is bright
train_iter = DataLoader(TensorDataset(images, labels), batch_size=32, shuffle=True)
test_iter = DataLoader(TensorDataset(images[:50], labels[:50]), batch_size=32, shuffle=False)

W = torch.normal(0, 0.01, size=(num_inputs, num_outputs), requires_grad=True)
b = torch.zeros(num_outputs, requires_grad=True)


def softmax(X):
    X_exp = torch.exp(X)
    partition = X_exp.sum(1, keepdim=True)
    return X_exp / partition


def net(X):
    return softmax(torch.matmul(X.reshape((-1, W.shape[0])), W) + b)


def cross_entropy(y_hat, y):
    return -torch.log(y_hat[range(len(y_hat)), y])


def accuracy(y_hat, y):
    if len(y_hat.shape) > 1 and y_hat.shape[1] > 1:
        y_hat = y_hat.argmax(axis=1)
    cmp = y_hat.type(y.dtype) == y
    return float(cmp.type(y.dtype).sum())


def evaluate_accuracy(net, data_iter):
    if isinstance(net, torch.nn.Module):
        net.eval()
    correct = total = 0.0
    with torch.no_grad():
        for X, y in data_iter:
            correct += accuracy(net(X), y)
            total += y.numel()
    return correct / total


y = torch.tensor([0, 2])
y_hat = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
print(y_hat[[0, 1], y], cross_entropy(y_hat, y), accuracy(y_hat, y) / len(y))

for epoch in range(3):
    for X, y in train_iter:
        l = cross_entropy(net(X), y)
        l.sum().backward()
        with torch.no_grad():
            for p in (W, b):
                p -= 0.1 * p.grad / X.shape[0]
                p.grad.zero_()
    print(f"epoch {epoch}: accuracy {evaluate_accuracy(net, test_iter):.3f}")

model = nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, num_outputs))


def init_weights(m):
    if type(m) == nn.Linear:
        nn.init.normal_(m.weight, std=0.01)


model.apply(init_weights)
loss = nn.CrossEntropyLoss(reduction="none")
trainer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    model.train()
    for X, y in train_iter:
        l = loss(model(X), y)
        trainer.zero_grad()
        l.mean().backward()
        trainer.step()
    print(f"epoch {epoch}: loss {l.sum().item():.4f}, accuracy {evaluate_accuracy(model, test_iter):.3f}")
predictions = model(images[:6]).argmax(dim=1)
probabilities = torch.softmax(model(images[:6]), dim=-1)
