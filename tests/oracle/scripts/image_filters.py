"""Filters on an image: blur, Sobel, Laplace, unsharp masking, patches, resizing, a batch of colours by groups."""

import numpy as np
import torch
import torch.nn.functional as F

grid = np.mgrid[0:12, 0:10]
image = torch.from_numpy(np.sin(grid[0] / 2) * np.cos(grid[1] / 3)).float().unsqueeze(0).unsqueeze(0)
image = image.to(torch.zeros(1).device)

blur = torch.ones(1, 1, 3, 3) / 9
sobel_x = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
sobel = torch.stack([sobel_x, sobel_x.t()]).unsqueeze(1)
laplace = torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.float32).view(1, 1, 3, 3)

smooth = F.conv2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), blur)
edges = F.conv2d(image, sobel, padding=1)
magnitude = torch.sqrt(edges[:, 0] ** 2 + edges[:, 1] ** 2 + 1e-8)
lap = F.conv2d(F.pad(image, [1, 1, 1, 1], "reflect"), laplace)
sharp = (image + 0.5 * (image - smooth)).clamp(-1, 1)
print(smooth.shape, edges.shape, magnitude.max(), lap.abs().mean())

sigma = 1.0
t = torch.arange(-2, 3).float()
g = torch.exp(-(t**2) / (2 * sigma**2))
g = g / g.sum()
gauss = F.conv2d(F.conv2d(image, g.view(1, 1, 1, -1), padding=(0, 2)), g.view(1, 1, -1, 1), padding=(2, 0))

rgb = torch.cat([image, -image, image * 0.5], dim=1)
per_channel = F.conv2d(rgb, blur.repeat(3, 1, 1, 1), padding="same", groups=3)
gray = (rgb * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)

patches = F.unfold(image, kernel_size=3, stride=1, padding=0)
median_like = patches.mean(1).view(10, 8)
back = F.fold(patches, output_size=(12, 10), kernel_size=3)
small, large = F.avg_pool2d(image, 2), F.interpolate(image, scale_factor=2, mode="nearest")
pooled, where = F.max_pool2d(image, 2, return_indices=True)
print(patches.shape, back.shape, large.shape, where[0, 0, 0])

noisy = image + 0.1 * torch.randn(image.shape)
kernel = torch.full((1, 1, 3, 3), 1 / 9, requires_grad=True)
optimizer = torch.optim.SGD([kernel], lr=0.05)
for _ in range(5):
    loss = F.l1_loss(F.conv2d(noisy, kernel, padding=1), image) + F.smooth_l1_loss(kernel, blur)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# total variation, descended on the pixels themselves
pixels = noisy.clone().requires_grad_(True)
descent = torch.optim.Adam([pixels], lr=0.05)
for _ in range(3):
    descent.zero_grad()
    tv = (pixels[..., 1:, :] - pixels[..., :-1, :]).abs().mean() + (pixels[..., 1:] - pixels[..., :-1]).abs().mean()
    (F.mse_loss(pixels, noisy) + 0.1 * tv).backward()
    descent.step()
