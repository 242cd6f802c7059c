"""A table with numbers and categories: standardizing, k-fold cross-validation, the error of logarithms, Adam."""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
rooms, area, zone = rng.integers(1, 8, 60), rng.normal(100, 30, 60), rng.integers(0, 3, 60)
price = 1000 * (20 + 5 * rooms + 0.5 * np.abs(area) + 10 * zone) + rng.normal(0, 100, 60)
numeric = np.stack([rooms, area], axis=1)
numeric = (numeric - numeric.mean(0)) / numeric.std(0)
one_hot = np.eye(3)[zone]

train_features = torch.tensor(np.concatenate([numeric, one_hot], 1), dtype=torch.float32)
train_labels = torch.tensor(price.reshape(-1, 1), dtype=torch.float32)
loss = nn.MSELoss()
in_features = train_features.shape[1]


def get_net():
    return nn.Sequential(nn.Linear(in_features, 1))


def log_rmse(net, features, labels):
    clipped_preds = torch.clamp(net(features), 1, float("inf"))
    rmse = torch.sqrt(loss(torch.log(clipped_preds), torch.log(labels)))
    return rmse.item()


def train(net, train_features, train_labels, test_features, test_labels, num_epochs, learning_rate, weight_decay, batch_size):
    train_ls, test_ls = [], []
    dataset = torch.utils.data.TensorDataset(train_features, train_labels)
    train_iter = torch.utils.data.DataLoader(dataset, batch_size, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate, weight_decay=weight_decay)
    for epoch in range(num_epochs):
        for X, y in train_iter:
            optimizer.zero_grad()
            l = loss(net(X), y)
            l.backward()
            optimizer.step()
        train_ls.append(log_rmse(net, train_features, train_labels))
        if test_labels is not None:
            test_ls.append(log_rmse(net, test_features, test_labels))
    return train_ls, test_ls


def get_k_fold_data(k, i, X, y):
    fold_size = X.shape[0] // k
    X_train, y_train = None, None
    for j in range(k):
        idx = slice(j * fold_size, (j + 1) * fold_size)
        X_part, y_part = X[idx, :], y[idx]
        if j == i:
            X_valid, y_valid = X_part, y_part
        elif X_train is None:
            X_train, y_train = X_part, y_part
        else:
            X_train = torch.cat([X_train, X_part], 0)
            y_train = torch.cat([y_train, y_part], 0)
    return X_train, y_train, X_valid, y_valid


folds = []
for i in range(3):
    net = get_net()
    train_ls, valid_ls = train(net, *get_k_fold_data(3, i, train_features, train_labels), 4, 500.0, 0.0, 20)
    folds.append((train_ls, valid_ls))
    print(f"fold {i + 1}, train log rmse {train_ls[-1]:.4f}, valid log rmse {valid_ls[-1]:.4f}")
preds = net(train_features).detach().numpy() if torch.zeros(1).device == torch.ones(1).device else None
