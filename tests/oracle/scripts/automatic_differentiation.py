"""Gradients of scalars and vectors, detaching, control flow, second derivatives, what accumulates."""

import torch

x = torch.arange(4.0, requires_grad=True)
print(x.grad)
y = 2 * torch.dot(x, x)
y.backward()
print(x.grad, x.grad == 4 * x)
first = x.grad.clone()

x.grad.zero_()
y = x.sum()
y.backward()
print(x.grad)

x.grad.zero_()
y = x * x
y.backward(gradient=torch.ones(len(y)))
second = x.grad.clone()
x.grad = None

y = x * x
u = y.detach()
z = u * x
z.sum().backward()
print(x.grad == u, u.requires_grad, z.requires_grad, z.is_leaf)
x.grad.zero_()
y.sum().backward()
print(x.grad == 2 * x)


def f(a):
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b
    return c


a = torch.randn(size=(), requires_grad=True)
d = f(a)
d.backward()
print(a.grad == d / a)

t = torch.tensor(2.0, requires_grad=True)
(dt,) = torch.autograd.grad(t**3, t, create_graph=True)
(ddt,) = torch.autograd.grad(dt, t)
print(dt.item(), ddt)

with torch.no_grad():
    w = t * 2
print(w.requires_grad, t.data, t.detach().numpy(), torch.is_grad_enabled())

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
Q.backward(gradient=torch.tensor([1.0, 1.0]))
print(9 * a**2 == a.grad, -2 * b == b.grad)

J = torch.stack([torch.autograd.grad(row, a, retain_graph=True)[0] for row in (a**2 * torch.tensor([1.0, 10.0]))])
h = a.register_hook(lambda g: g * 2)
(a * a).sum().backward()
h.remove()


@torch.no_grad()
def evaluate(v):
    return (v * v).sum()


value = evaluate(a)
with torch.inference_mode():
    value2 = (a * a).sum()
