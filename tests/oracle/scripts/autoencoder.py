"""Autoencoders: a dense one, a convolutional one with transposed convolutions, a variational one with its two losses."""

import torch
from torch import nn
import torch.nn.functional as F


class AutoEncoder(nn.Module):
    def __init__(self):
        super(AutoEncoder, self).__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 16), nn.ReLU(True), nn.Linear(16, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 16), nn.ReLU(True), nn.Linear(16, 64), nn.Sigmoid())

    def forward(self, x):
        encoded = self.encoder(x)
        decoded = self.decoder(encoded)
        return encoded, decoded


class ConvAutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.GELU())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1), nn.SiLU(),
            nn.ConvTranspose2d(4, 1, kernel_size=2, stride=2), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 16)
        self.fc21 = nn.Linear(16, 2)
        self.fc22 = nn.Linear(16, 2)
        self.fc3 = nn.Linear(2, 16)
        self.fc4 = nn.Linear(16, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


images = (torch.rand(8, 1, 8, 8) > 0.5).float()
noisy = (images + 0.1 * torch.randn_like(images)).clamp(0.0, 1.0)
history = []
for model in (AutoEncoder(), ConvAutoEncoder()):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5)
    criterion = nn.MSELoss()
    for epoch in range(3):
        optimizer.zero_grad()
        if isinstance(model, AutoEncoder):
            code, out = model(noisy.view(noisy.size(0), -1))
        else:
            out = model(noisy)
        loss = criterion(out, images.view_as(out))
        loss.backward()
        optimizer.step()
        history.append(loss.item())
vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
for epoch in range(3):
    optimizer.zero_grad()
    recon, mu, logvar = vae(images)
    loss = loss_function(recon, images, mu, logvar)
    loss.backward()
    optimizer.step()
    history.append(loss.item() / len(images))
with torch.no_grad():
    sample = vae.decode(torch.randn(4, 2)).cpu().view(4, 1, 8, 8)
print(code.shape, out.shape, sample.shape, [round(h, 3) for h in history])
