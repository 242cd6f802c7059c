"""Segmentation: a network that narrows and widens with short cuts, by two kinds of upsampling; a loss per pixel, IoU."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def double_conv(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes):
        super().__init__()
        self.down1 = double_conv(n_channels, 4)
        self.down2 = double_conv(4, 8)
        self.bottom = double_conv(8, 12)
        self.up2 = nn.ConvTranspose2d(12, 8, kernel_size=2, stride=2)
        self.dec2 = double_conv(16, 8)
        self.dec1 = double_conv(12, 4)
        self.out = nn.Conv2d(4, n_classes, kernel_size=1)

    def forward(self, x):
        d1 = self.down1(x)
        d2 = self.down2(F.max_pool2d(d1, 2))
        b = self.bottom(F.max_pool2d(d2, 2))
        u2 = self.up2(b)
        diff_y, diff_x = d2.size()[2] - u2.size()[2], d2.size()[3] - u2.size()[3]
        u2 = F.pad(u2, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        u2 = self.dec2(torch.cat([d2, u2], dim=1))
        u1 = F.interpolate(u2, size=d1.shape[-2:], mode="nearest")
        return self.out(self.dec1(torch.cat([d1, u1], dim=1)))


masks = torch.zeros(2, 13, 11, dtype=torch.long)
masks[0, 3:9, 2:6] = 1
masks[1, 5:, 5:] = 2
images = F.one_hot(masks, 3).permute(0, 3, 1, 2).float() + 0.2 * torch.randn(2, 3, 13, 11)
model = UNet(3, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.0, 1.0]), ignore_index=255)
masks[:, 0, 0] = 255
losses = []
for epoch in range(3):
    optimizer.zero_grad()
    logits = model(images)
    loss = criterion(logits, masks)
    probs = F.softmax(logits, dim=1)
    target = F.one_hot(masks.clamp(max=2), 3).permute(0, 3, 1, 2)
    dice = 1 - (2 * (probs * target).sum((0, 2, 3)) + 1) / (probs.sum((0, 2, 3)) + target.sum((0, 2, 3)) + 1)
    (loss + dice.mean()).backward()
    optimizer.step()
    losses.append(loss.item())
with torch.no_grad():
    predicted = model(images).argmax(dim=1)
ious = []
for c in range(3):
    intersection = ((predicted == c) & (masks == c)).sum().item()
    union = ((predicted == c) | (masks == c)).sum().item()
    ious.append(intersection / max(union, 1))
print(logits.shape, dice.shape, losses[-1] < losses[0], predicted.max().item() <= 2)
