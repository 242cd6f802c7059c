"""Residual and dense blocks in small networks; copying a network's weights into its twin; freezing."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Residual(nn.Module):
    def __init__(self, input_channels, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2d(input_channels, num_channels, kernel_size=3, padding=1, stride=strides, bias=False)
        self.conv2 = nn.Conv2d(num_channels, num_channels, kernel_size=3, padding=1, bias=False)
        if use_1x1conv:
            self.conv3 = nn.Conv2d(input_channels, num_channels, kernel_size=1, stride=strides)
        else:
            self.conv3 = None
        self.bn1 = nn.BatchNorm2d(num_channels)
        self.bn2 = nn.BatchNorm2d(num_channels)

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3:
            X = self.conv3(X)
        Y += X
        return F.relu(Y)


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


def conv_block(input_channels, num_channels):
    return nn.Sequential(
        nn.BatchNorm2d(input_channels), nn.ReLU(), nn.Conv2d(input_channels, num_channels, kernel_size=3, padding=1))


class DenseBlock(nn.Module):
    def __init__(self, num_convs, input_channels, num_channels):
        super(DenseBlock, self).__init__()
        layer = []
        for i in range(num_convs):
            layer.append(conv_block(num_channels * i + input_channels, num_channels))
        self.net = nn.Sequential(*layer)

    def forward(self, X):
        for blk in self.net:
            Y = blk(X)
            X = torch.cat((X, Y), dim=1)
        return X


net = nn.Sequential(
    nn.Conv2d(3, 4, kernel_size=3, stride=1, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1),
    Residual(4, 4), Residual(4, 6, use_1x1conv=True, strides=2),
    BasicBlock(6, 8, 2, nn.Sequential(nn.Conv2d(6, 8, 1, 2, bias=False), nn.BatchNorm2d(8))),
    DenseBlock(2, 8, 3), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(14, 5),
)
for m in net.modules():
    if isinstance(m, nn.Conv2d):
        nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(m, nn.BatchNorm2d):
        nn.init.constant_(m.weight, 1)
        nn.init.constant_(m.bias, 0)
X, y = torch.randn(3, 3, 16, 16), torch.tensor([0, 1, 4])
twin = copy.deepcopy(net)
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
losses = []
for _ in range(3):
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(net(X), y, label_smoothing=0.1)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), max_norm=5.0)
    optimizer.step()
    losses.append(loss.item())
print([f"{loss:.3f}" for loss in losses], losses[-1] < losses[0])

# fine-tuning: everything frozen but a new head, which learns faster than a thawed block
twin.load_state_dict(net.state_dict())
for param in twin.parameters():
    param.requires_grad = False
twin[-1] = nn.Linear(twin[-1].in_features, 2)
for param in twin[4].parameters():
    param.requires_grad_(True)
tuner = optim.Adam([{"params": twin[4].parameters(), "lr": 1e-3}, {"params": twin[-1].parameters()}], lr=1e-2)
schedule = optim.lr_scheduler.LambdaLR(tuner, lr_lambda=lambda epoch: 0.9**epoch)
for _ in range(2):
    tuner.zero_grad()
    F.cross_entropy(twin(X), y.clamp(max=1)).backward()
    tuner.step()
    schedule.step()
print(schedule.get_last_lr(), twin[0].weight.grad, sum(p.numel() for p in twin.parameters() if p.requires_grad))
