"""Neurons by hand on two half-moons: hinge loss with margin, accuracy, a decaying rate; one neuron's gradients."""

import numpy as np
import torch

x1 = torch.tensor([2.0], dtype=torch.float64)
x1.requires_grad = True
x2 = torch.tensor([0.0], dtype=torch.float64)
x2.requires_grad = True
w1 = torch.tensor([-3.0], dtype=torch.float64)
w1.requires_grad = True
w2 = torch.tensor([1.0], dtype=torch.float64)
w2.requires_grad = True
b = torch.tensor([6.8813735870195432], dtype=torch.float64)
b.requires_grad = True
n = x1 * w1 + x2 * w2 + b
o = torch.tanh(n)
print(o.data.item())
o.backward()
print("x1", x1.grad.item(), "w1", w1.grad.item(), "x2", x2.grad.item(), "w2", w2.grad.item())

angle = np.linspace(0, np.pi, 20)
outer = np.stack([np.cos(angle), np.sin(angle)], 1)
inner = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
X = torch.tensor(np.concatenate([outer, inner]), dtype=torch.float32)
y = torch.cat([torch.ones(20), -torch.ones(20)])


class Neuron:
    def __init__(self, nin, nonlin=True):
        self.w = torch.rand(nin) * 2 - 1
        self.w.requires_grad_()
        self.b = torch.zeros((), requires_grad=True)
        self.nonlin = nonlin

    def __call__(self, x):
        act = (self.w * x).sum(-1) + self.b
        return act.relu() if self.nonlin else act

    def parameters(self):
        return [self.w, self.b]


class MLP:
    def __init__(self, nin, nouts):
        sz = [nin] + nouts
        self.layers = [[Neuron(sz[i], i != len(nouts) - 1) for _ in range(sz[i + 1])] for i in range(len(nouts))]

    def __call__(self, x):
        for layer in self.layers:
            x = torch.stack([neuron(x) for neuron in layer], dim=-1)
        return x.squeeze(-1)

    def parameters(self):
        return [p for layer in self.layers for neuron in layer for p in neuron.parameters()]


model = MLP(2, [6, 6, 1])
print("number of parameters", len(model.parameters()))
for k in range(5):
    scores = model(X)
    losses = (1 + -y * scores).relu()
    data_loss = losses.sum() * (1.0 / len(losses))
    reg_loss = 1e-4 * sum((p * p).sum() for p in model.parameters())
    total_loss = data_loss + reg_loss
    accuracy = ((y > 0) == (scores > 0)).sum().item() / len(y)
    for p in model.parameters():
        p.grad = None
    total_loss.backward()
    learning_rate = 0.2 * (1.0 - 0.9 * k / 100)
    for p in model.parameters():
        p.data -= learning_rate * p.grad
    print(f"step {k} loss {total_loss.data:.4f}, accuracy {accuracy * 100}%")
