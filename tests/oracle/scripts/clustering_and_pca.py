"""k-means, nearest neighbours, principal axes by power iteration, with tensors and no gradient."""

import torch

centres = torch.tensor([[0.0, 0.0], [5.0, 5.0], [0.0, 6.0]])
points = torch.cat([c + 0.5 * torch.randn(20, 2) for c in centres])


def kmeans(X, k, steps=5):
    means = X[torch.randperm(len(X))[:k]].clone()
    for _ in range(steps):
        distances = ((X[:, None, :] - means[None, :, :]) ** 2).sum(-1)
        nearest = distances.argmin(dim=1)
        for j in range(k):
            mask = nearest == j
            if mask.any():
                means[j] = X[mask].mean(dim=0)
    return means, nearest, distances.min(dim=1).values.sum()


means, assignment, inertia = kmeans(points, 3)
counts = torch.stack([(assignment == j).sum() for j in range(3)])
print(counts, inertia.item())

d = ((points[:5, None] - points[None, :5]).pow(2).sum(2) + 1e-12).sqrt()
d = d + torch.eye(5) * 1e9
neighbours = d.argmin(1)

X = torch.randn(50, 4) @ torch.tensor([[3.0, 0, 0, 0], [0, 2, 0, 0], [0.5, 0, 1, 0], [0, 0, 0, 0.1]])
X = (X - X.mean(0)) / X.std(dim=0, unbiased=True)
cov = X.T.mm(X) / (X.shape[0] - 1)
axes, variances = [], []
for _ in range(2):
    v = torch.ones(4)
    v /= v.norm()
    for _ in range(50):
        v = cov @ v
        v = v / v.norm(p=2)
    lam = v @ cov @ v
    axes.append(v)
    variances.append(lam.item())
    cov = cov - lam * torch.outer(v, v)
W = torch.stack(axes, dim=1)
projected = X @ W
explained = (projected.var(dim=0) / X.var(0).sum()).tolist()
print([f"{e:.3f}" for e in explained], torch.abs(W.T @ W - torch.eye(2)).max() < 1e-2)

# least squares by gradient descent, with momentum written out
w, v = torch.zeros(4, 1), torch.zeros(4, 1)
target = X @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
for _ in range(30):
    g = 2 * X.T @ (X @ w - target) / len(X)
    v.mul_(0.8).add_(g)
    w.sub_(v, alpha=0.05)
print(w.squeeze().tolist())
