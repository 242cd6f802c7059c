"""Batch normalization from scratch, as the book writes it, beside the layer; layer normalization."""

import torch
from torch import nn


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    if not torch.is_grad_enabled():
        X_hat = (X - moving_mean) / torch.sqrt(moving_var + eps)
    else:
        assert len(X.shape) in (2, 4)
        if len(X.shape) == 2:
            mean = X.mean(dim=0)
            var = ((X - mean) ** 2).mean(dim=0)
        else:
            mean = X.mean(dim=(0, 2, 3), keepdim=True)
            var = ((X - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        X_hat = (X - mean) / torch.sqrt(var + eps)
        moving_mean = (1.0 - momentum) * moving_mean + momentum * mean
        moving_var = (1.0 - momentum) * moving_var + momentum * var
    Y = gamma * X_hat + beta
    return Y, moving_mean.data, moving_var.data


class BatchNorm(nn.Module):
    def __init__(self, num_features, num_dims):
        super().__init__()
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.gamma = nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))
        self.moving_mean = torch.zeros(shape)
        self.moving_var = torch.ones(shape)

    def forward(self, X):
        if self.moving_mean.device != X.device:
            self.moving_mean = self.moving_mean.to(X.device)
            self.moving_var = self.moving_var.to(X.device)
        Y, self.moving_mean, self.moving_var = batch_norm(
            X, self.gamma, self.beta, self.moving_mean, self.moving_var, eps=1e-5, momentum=0.1)
        return Y


def make(norm2d, norm1d):
    return nn.Sequential(
        nn.Conv2d(1, 4, kernel_size=3), norm2d, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 6), norm1d, nn.Sigmoid(),
        nn.Linear(6, 3),
    )


scratch, concise = make(BatchNorm(4, 4), BatchNorm(6, 2)), make(nn.BatchNorm2d(4), nn.BatchNorm1d(6))
X, y = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2])
loss = nn.CrossEntropyLoss()
for net in (scratch, concise):
    trainer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        trainer.zero_grad()
        l = loss(net(X), y)
        l.backward()
        trainer.step()
    print(l.item())
print(scratch[1].gamma.detach().reshape((-1,)), scratch[1].beta.data.reshape(-1), concise[1].running_mean, concise[1].num_batches_tracked)
means = [scratch[1].moving_mean.flatten(), concise[1].running_mean, concise[6].running_var]
concise.eval()
evaluated = concise(X)
print(concise)
ln, bn = nn.LayerNorm(2), nn.LazyBatchNorm2d()
x = torch.tensor([[1, 2], [2, 3]], dtype=torch.float32)
print(ln(x).shape, bn(X).shape, ln)
