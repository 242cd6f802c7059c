"""Multilayer perceptrons: relu by hand, dropout by hand and as a layer, weight decay, initial values by Xavier."""

import torch
from torch import nn
from torch.nn import functional as F

n = 64
X = torch.randn(n, 8)
y = (X[:, 0] * X[:, 1] > 0).long()

num_inputs, num_hiddens, num_outputs = 8, 16, 2
W1 = nn.Parameter(torch.randn(num_inputs, num_hiddens, requires_grad=True) * 0.1)
b1 = nn.Parameter(torch.zeros(num_hiddens, requires_grad=True))
W2 = nn.Parameter(torch.randn(num_hiddens, num_outputs, requires_grad=True) * 0.1)
b2 = nn.Parameter(torch.zeros(num_outputs, requires_grad=True))
params = [W1, b1, W2, b2]


def relu(X):
    a = torch.zeros_like(X)
    return torch.max(X, a)


def net(X):
    X = X.reshape((-1, num_inputs))
    H = relu(X @ W1 + b1)
    return H @ W2 + b2


loss = nn.CrossEntropyLoss(reduction="none")
updater = torch.optim.SGD(params, lr=0.5)
for epoch in range(5):
    l = loss(net(X), y)
    updater.zero_grad()
    l.mean().backward()
    updater.step()
    print(f"{epoch}: {l.mean().item():.4f}")


def dropout_layer(X, dropout):
    assert 0 <= dropout <= 1
    if dropout == 1:
        return torch.zeros_like(X)
    if dropout == 0:
        return X
    mask = (torch.rand(X.shape) > dropout).float()
    return mask * X / (1.0 - dropout)


print(dropout_layer(torch.arange(16, dtype=torch.float32).reshape((2, 8)), 0.5))
print(dropout_layer(torch.ones(2, 4), 0.0), dropout_layer(torch.ones(2, 4), 1.0))


class Net(nn.Module):
    def __init__(self, num_inputs, num_outputs, num_hiddens, is_training=True):
        super(Net, self).__init__()
        self.num_inputs = num_inputs
        self.training = is_training
        self.lin1 = nn.Linear(num_inputs, num_hiddens)
        self.lin2 = nn.Linear(num_hiddens, num_outputs)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, X):
        H = self.relu(self.lin1(X.reshape((-1, self.num_inputs))))
        if self.training == True:
            H = dropout_layer(H, 0.2)
        return self.lin2(H)


concise = nn.Sequential(
    nn.Flatten(), nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 16), nn.Tanh(), nn.Dropout(p=0.5), nn.Linear(16, 2)
)


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight)
        m.bias.data.fill_(0.01)


concise.apply(init_weights)
print(concise)

for model in (Net(8, 2, 16), concise):
    trainer = torch.optim.SGD(
        [{"params": [p for name, p in model.named_parameters() if "weight" in name], "weight_decay": 1e-2},
         {"params": [p for name, p in model.named_parameters() if "bias" in name]}],
        lr=0.3, momentum=0.9,
    )
    for epoch in range(4):
        trainer.zero_grad()
        l = F.cross_entropy(model(X), y)
        l.backward()
        trainer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(X).argmax(1) == y).float().mean()
    print(f"loss {l:.4f}, accuracy {accuracy:.3f}, L2 norm of w: {model(X).norm().item():.4f}")


def l2_penalty(w):
    return torch.sum(w.pow(2)) / 2


w = torch.normal(0, 1, size=(20, 1), requires_grad=True)
l = ((torch.ones(5, 20) @ w - 0.05) ** 2).mean() + 3 * l2_penalty(w)
l.backward()
