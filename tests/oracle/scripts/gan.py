"""A generator and a discriminator in turn, on points of a plane and on small images with transposed convolutions."""

import torch
import torch.nn as nn
from torch.optim import Adam
from torch.utils.data import DataLoader

real = torch.normal(0.0, 1, (64, 2)) @ torch.tensor([[1, 2], [-0.1, 0.5]]) + torch.tensor([1, 2])
data_iter = DataLoader(real, batch_size=16, shuffle=True)

net_G = nn.Sequential(nn.Linear(2, 2))
net_D = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1))
for net in (net_G, net_D):
    for w in net.parameters():
        nn.init.normal_(w, 0, 0.02)


def update_D(X, Z, net_D, net_G, loss, trainer_D):
    batch_size = X.shape[0]
    ones = torch.ones((batch_size,), device=X.device)
    zeros = torch.zeros((batch_size,), device=X.device)
    trainer_D.zero_grad()
    real_Y = net_D(X)
    fake_X = net_G(Z)
    fake_Y = net_D(fake_X.detach())
    loss_D = (loss(real_Y, ones.reshape(real_Y.shape)) + loss(fake_Y, zeros.reshape(fake_Y.shape))) / 2
    loss_D.backward()
    trainer_D.step()
    return loss_D


def update_G(Z, net_D, net_G, loss, trainer_G):
    ones = torch.ones((Z.shape[0],), device=Z.device)
    trainer_G.zero_grad()
    fake_X = net_G(Z)
    fake_Y = net_D(fake_X)
    loss_G = loss(fake_Y, ones.reshape(fake_Y.shape))
    loss_G.backward()
    trainer_G.step()
    return loss_G


loss = nn.BCEWithLogitsLoss(reduction="sum")
trainer_D = Adam(net_D.parameters(), lr=0.05)
trainer_G = Adam(net_G.parameters(), lr=0.005)
for epoch in range(2):
    for X in data_iter:
        Z = torch.normal(0, 1, size=(X.shape[0], 2))
        loss_D = update_D(X, Z, net_D, net_G, loss, trainer_D)
        loss_G = update_G(Z, net_D, net_G, loss, trainer_G)
    print(f"loss_D {loss_D:.3f}, loss_G {loss_G:.3f}")
fake = net_G(torch.normal(0, 1, size=(10, 2))).detach()


class Generator(nn.Module):
    def __init__(self, nz, ngf, nc):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False), nn.BatchNorm2d(ngf * 2), nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf), nn.ReLU(True),
            nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh(),
        )

    def forward(self, input):
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self, nc, ndf):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False), nn.Sigmoid(),
        )

    def forward(self, input):
        return self.main(input).view(-1, 1).squeeze(1)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


netG, netD = Generator(6, 4, 1), Discriminator(1, 4)
netG.apply(weights_init)
netD.apply(weights_init)
print(netG, netD)
criterion = nn.BCELoss()
optimizerD = Adam(netD.parameters(), lr=0.0002, betas=(0.5, 0.999))
optimizerG = Adam(netG.parameters(), lr=0.0002, betas=(0.5, 0.999))
images = torch.rand(4, 1, 16, 16) * 2 - 1
for i in range(2):
    netD.zero_grad()
    label = torch.full((4,), 1.0, dtype=torch.float)
    errD_real = criterion(netD(images), label)
    errD_real.backward()
    noise = torch.randn(4, 6, 1, 1)
    fake_images = netG(noise)
    label.fill_(0.0)
    errD_fake = criterion(netD(fake_images.detach()), label)
    errD_fake.backward()
    D_G_z1 = errD_fake.mean().item()
    optimizerD.step()
    netG.zero_grad()
    label.fill_(1.0)
    errG = criterion(netD(fake_images), label)
    errG.backward()
    optimizerG.step()
    print(f"Loss_D: {(errD_real + errD_fake).item():.4f} Loss_G: {errG.item():.4f}")
