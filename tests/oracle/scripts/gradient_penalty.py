"""Second derivatives at work: a critic's gradient penalty, a Hessian row by row, a Newton step, MAML's inner loop."""

import torch
import torch.nn as nn
from torch.autograd import grad

critic = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(64, 1))
opt = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
real, fake = torch.randn(4, 1, 8, 8), torch.rand(4, 1, 8, 8)


def gradient_penalty(critic, real, fake, device):
    alpha = torch.rand(real.size(0), 1, 1, 1, device=device)
    interpolates = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    scores = critic(interpolates)
    gradients = torch.autograd.grad(
        outputs=scores, inputs=interpolates, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


for _ in range(2):
    opt.zero_grad()
    loss = critic(fake).mean() - critic(real).mean() + 10 * gradient_penalty(critic, real, fake, real.device)
    loss.backward()
    opt.step()
    print(f"{loss.item():.4f}")


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


p = torch.tensor([-1.2, 1.0], requires_grad=True)
for _ in range(3):
    (g,) = grad(rosenbrock(p), p, create_graph=True)
    H = torch.stack([grad(g[k], p, retain_graph=True)[0] for k in range(2)])
    det = H[0, 0] * H[1, 1] - H[0, 1] * H[1, 0]
    inverse = torch.stack([torch.stack([H[1, 1], -H[0, 1]]), torch.stack([-H[1, 0], H[0, 0]])]) / det
    p = (p - inverse @ g).detach().requires_grad_()
    print(p.tolist(), rosenbrock(p).item())

w = torch.ones(3, requires_grad=True)
x, y = torch.randn(5, 3), torch.randn(5)
inner = ((x @ w - y) ** 2).mean()
(g,) = torch.autograd.grad(inner, [w], create_graph=True)
fast = w - 0.1 * g
outer = ((x.flip(0) @ fast - y) ** 2).mean()
outer.backward()
