"""Predicting a noisy sine from its last values: one step ahead, and many steps ahead from the predictions themselves."""

import torch
from torch import nn
from torch.utils import data

T, tau = 120, 4
time = torch.arange(1, T + 1, dtype=torch.float32)
x = torch.sin(0.05 * time) + torch.normal(0, 0.2, (T,))
features = torch.zeros((T - tau, tau))
for i in range(tau):
    features[:, i] = x[i : T - tau + i]
labels = x[tau:].reshape((-1, 1))
batch_size, n_train = 16, 64
train_iter = data.DataLoader(data.TensorDataset(features[:n_train], labels[:n_train]), batch_size, shuffle=True)


def init_weights(m):
    if type(m) == nn.Linear:
        nn.init.xavier_uniform_(m.weight)


def get_net():
    net = nn.Sequential(nn.Linear(tau, 10), nn.ReLU(), nn.Linear(10, 1))
    net.apply(init_weights)
    return net


def evaluate_loss(net, data_iter, loss):
    metric = [0.0, 0]
    for X, y in data_iter:
        l = loss(net(X), y.reshape(net(X).shape))
        metric[0] += float(l.detach().sum())
        metric[1] += l.numel()
    return metric[0] / metric[1]


loss = nn.MSELoss(reduction="none")
net = get_net()
trainer = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(3):
    for X, y in train_iter:
        trainer.zero_grad()
        l = loss(net(X), y)
        l.sum().backward()
        trainer.step()
    print(f"epoch {epoch + 1}, loss: {evaluate_loss(net, train_iter, loss):f}")

onestep_preds = net(features)
multistep_preds = torch.zeros(T)
multistep_preds[: n_train + tau] = x[: n_train + tau]
for i in range(n_train + tau, T):
    multistep_preds[i] = net(multistep_preds[i - tau : i].reshape((1, -1)))[0, 0].detach()
steps = torch.zeros((tau + 3, T - tau - 3 + 1))
for i in range(tau):
    steps[i, :] = x[i : i + T - tau - 3 + 1]
for i in range(tau, tau + 3):
    steps[i, :] = net(steps[i - tau : i, :].T).reshape(-1).detach()
