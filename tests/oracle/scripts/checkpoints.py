"""Saving and loading: state dicts, a checkpoint from which training goes on, partial loading, best weights."""

import copy
import tempfile
from pathlib import Path

import torch
import torch.nn as nn
import torch.optim as optim

model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
optimizer = optim.Adam(model.parameters(), lr=0.01)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
X, y = torch.randn(16, 4), torch.randint(0, 2, (16,))
loss_fn = nn.CrossEntropyLoss()

print("Model's state_dict:")
for param_tensor in model.state_dict():
    print(param_tensor, "\t", model.state_dict()[param_tensor].size())
print("Optimizer's state_dict:")
for var_name in optimizer.state_dict():
    print(var_name)


def train(model, optimizer, scheduler, epochs):
    model.train()
    best = float("inf")
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = loss_fn(model(X), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        if loss.item() < best:
            best = loss.item()
            best_weights = copy.deepcopy(model.state_dict())
    return loss, best_weights


loss, best_weights = train(model, optimizer, scheduler, 4)
with tempfile.TemporaryDirectory() as folder:
    PATH = Path(folder) / "checkpoint.pt"
    torch.save({
        "epoch": 4,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "loss": loss.item(),
    }, PATH)
    checkpoint = torch.load(PATH, weights_only=True, map_location=X.device)

resumed = nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
optimizer2 = optim.Adam(resumed.parameters(), lr=0.5)
scheduler2 = optim.lr_scheduler.CosineAnnealingLR(optimizer2, T_max=10)
resumed.load_state_dict(checkpoint["model_state_dict"])
optimizer2.load_state_dict(checkpoint.pop("optimizer_state_dict"))
scheduler2.load_state_dict(checkpoint.pop("scheduler"))
epoch, loss = checkpoint["epoch"], checkpoint["loss"]
print(epoch, loss)
last, _ = train(model, optimizer, scheduler, 3)
last2, _ = train(resumed, optimizer2, scheduler2, 3)
print(torch.equal(model[0].weight, resumed[0].weight), scheduler2.get_last_lr())

small = nn.Sequential(nn.Linear(4, 8, bias=False))
partial = small.load_state_dict({k: v for k, v in checkpoint["model_state_dict"].items() if k in small.state_dict()}, strict=False)
result = resumed.load_state_dict({"0.weight": torch.zeros(8, 4), "9.weight": torch.zeros(1)}, strict=False)
print(partial.missing_keys, partial.unexpected_keys, result.unexpected_keys)
