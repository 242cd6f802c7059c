"""Making tensors, looking at them, reshaping, joining, broadcasting, indexing, saving memory, leaving for NumPy."""

import numpy as np
import torch

x = torch.arange(12, dtype=torch.float32)
print(x, x.numel(), x.shape, x.dtype)
X = x.reshape(3, 4)
print(X, x.view(-1, 6).shape, X.size(), X.size(0), X.size(-1), X.ndim, X.dim(), len(X))
print(torch.zeros((2, 3, 4)), torch.ones(2, 3), torch.full((2, 2), 7.0), torch.eye(3), torch.empty(2, 0))
print(torch.tensor([[2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]]))
print(torch.linspace(0, 1, 5), torch.arange(0, 1, 0.25), torch.arange(10, 0, -3))
print(torch.randn(3, 4).shape, torch.rand(2).dtype, torch.randint(0, 10, (5,)).dtype, torch.randperm(4).shape)

print(X[-1], X[1:3], X[:, 1], X[..., None].shape, X[X > 5], X[[0, 2]], X[torch.tensor([0, 2]), torch.tensor([1, 3])])
X[1, 2] = 17
X[:2, :] = 12
print(X)

a, b = torch.tensor([1.0, 2, 4, 8]), torch.tensor([2, 2, 2, 2])
print(a + b, a - b, a * b, a / b, a**b, a // b, a % 3, -a, abs(-a), torch.exp(a), a.log(), a.sqrt(), a.sin())
X = torch.arange(12, dtype=torch.float32).reshape((3, 4))
Y = torch.tensor([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
print(torch.cat((X, Y), dim=0), torch.cat((X, Y), dim=1), torch.stack([X, Y]).shape)
print(X == Y, X < Y, (X == Y).sum(), X.sum(), X.sum(dim=0), X.sum(axis=1, keepdim=True), X.mean(), X.mean(dim=1))
print(X.cumsum(axis=0), X.cumsum(dim=1), X.max(), X.max(dim=1).values, X.argmax(), X.argmax(dim=1), X.min(dim=0)[0], X.std(), X.var(0))
total = X.sum()

p, q = torch.arange(3).reshape((3, 1)), torch.arange(2).reshape((1, 2))
print(p + q, p == q, torch.logical_and(p > 0, q > 0), (p > 0) & (q > 0), ~(p > 0))

kept = Y
Y[:] = X + Y
Y += X
print(Y is kept, id(Y) == id(kept))
Z = torch.zeros_like(Y)
Z[:] = X - Y
Z.add_(1).mul_(2).clamp_(min=-20)

A = X.numpy() if X.device == torch.zeros(1).device and str(X.device) == "cpu" else X.cpu().numpy()
B = torch.from_numpy(np.arange(3.0))
C = torch.tensor(A)
s = torch.tensor([3.5])
print(s, s.item(), float(s), int(s), type(A).__name__, f"{s.item():.2f}", f"{s[0]:.1f}", str(s), s.tolist())

# linear algebra
A = torch.arange(6, dtype=torch.float32).reshape(2, 3)
v = torch.ones(3)
print(A.T, A.t(), A @ A.T, torch.mv(A, v), A @ v, torch.mm(A, A.T), torch.dot(v, v), torch.norm(v), v.norm(), torch.abs(v).sum())
print(A.transpose(0, 1).shape, A[None].permute(2, 0, 1).shape, A.unsqueeze(1).shape, A[None].squeeze(0).shape, A.flatten())
print(torch.matmul(torch.ones(2, 3, 4), torch.ones(2, 4, 5)).shape, torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 4, 5)).sum())
print(A / A.sum(dim=1, keepdim=True), A.repeat(2, 1), A.expand(2, 2, 3).shape, A.clone() is A, torch.where(A > 2, A, -A))
print(A.to(torch.int64), A.long(), A.int().dtype, A.double().dtype, A.bool(), A.float() is A, A.type(torch.float64).dtype)
print(A.split(2, dim=1), torch.chunk(A, 2), A.flip(0), torch.outer(v, v), A.prod(), A.any(), (A >= 0).all(), A.logsumexp(1))
print(torch.allclose(A, A + 1e-9), torch.equal(A, A), isinstance(A, torch.Tensor), A.is_floating_point())
