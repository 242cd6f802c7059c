"""sin x by a polynomial: NumPy, tensors, autograd, nn, optim, a module of one's own, one with changing order."""

import math
import random

import numpy as np
import torch

x = np.linspace(-math.pi, math.pi, 200)
y = np.sin(x)
c = np.zeros(4)
for t in range(20):
    y_pred = sum(c[k] * x**k for k in range(4))
    grad = np.array([2.0 * ((y_pred - y) * x**k).sum() for k in range(4)])
    c -= 1e-5 * grad

dtype = torch.float
x = torch.linspace(-math.pi, math.pi, 200, dtype=dtype)
y = torch.sin(x)
a, b = torch.tensor(c[0], dtype=dtype), torch.tensor(c[1], dtype=dtype)
for t in range(5):
    y_pred = a + b * x
    loss = (y_pred - y).pow(2).sum().item()
    grad_y_pred = 2.0 * (y_pred - y)
    a -= 1e-5 * grad_y_pred.sum()
    b -= 1e-5 * (grad_y_pred * x).sum()
print(f"Result: y = {a.item():.4f} + {b.item():.4f} x")

coefficients = [torch.randn((), dtype=dtype, requires_grad=True) for _ in range(4)]
a, b, c, d = coefficients
for t in range(20):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        for w in coefficients:
            w -= 1e-6 * w.grad
            w.grad = None
print(f"Result: y = {a.item():.4f} + {b.item():.4f} x + {c.item():.4f} x^2 + {d.item():.4f} x^3")

p = torch.tensor([1, 2, 3])
xx = x.unsqueeze(-1).pow(p)
model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
loss_fn = torch.nn.MSELoss(reduction="sum")
for t in range(5):
    y_pred = model(xx)
    loss = loss_fn(y_pred, y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            param -= 1e-6 * param.grad
linear_layer = model[0]
print(f"y = {linear_layer.bias.item():.4f} + {linear_layer.weight[:, 0].item():.4f} x")

optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for t in range(5):
    loss = loss_fn(model(xx), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


class DynamicNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.randn(()))
        self.b = torch.nn.Parameter(torch.randn(()))
        self.e = torch.nn.Parameter(torch.randn(()))
        self.random = random.Random(1)

    def forward(self, x):
        y = self.a + self.b * x
        for exp in range(4, self.random.randint(4, 6)):
            y = y + self.e * x**exp
        return y

    def string(self):
        return f"y = {self.a.item():.4f} + {self.b.item():.4f} x + {self.e.item():.4f} x^4 ? + {self.e.item():.4f} x^5 ?"


dynamic = DynamicNet()
criterion = torch.nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(dynamic.parameters(), lr=1e-8, momentum=0.9)
for t in range(10):
    loss = criterion(dynamic(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"Result: {dynamic.string()}")
