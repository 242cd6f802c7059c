"""Attacking a classifier with the sign of its input's gradient; a saliency map; hooks that look inside."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.conv2 = nn.Conv2d(4, 8, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(8 * 6 * 6, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        return F.log_softmax(self.fc1(x), dim=1)


def fgsm_attack(image, epsilon, data_grad):
    sign_data_grad = data_grad.sign()
    perturbed_image = image + epsilon * sign_data_grad
    return torch.clamp(perturbed_image, 0, 1)


model = Net()
model.eval()
results = []
for epsilon in (0, 0.1, 0.3):
    correct = 0
    for k in range(3):
        data = torch.rand(1, 1, 16, 16)
        data.requires_grad = True
        output = model(data)
        init_pred = output.max(1, keepdim=True)[1]
        loss = F.nll_loss(output, init_pred[0])
        model.zero_grad()
        loss.backward()
        data_grad = data.grad.data
        perturbed = fgsm_attack(data, epsilon, data_grad)
        output = model(perturbed)
        final_pred = output.max(1, keepdim=True)[1]
        correct += int(final_pred.item() == init_pred.item())
        results.append(output.detach())
    print(f"Epsilon: {epsilon}\tTest Accuracy = {correct} / 3 = {correct / 3}")

activation = {}


def get_activation(name):
    def hook(model, input, output):
        activation[name] = output.detach()

    return hook


handle = model.conv2.register_forward_hook(get_activation("conv2"))
x = torch.rand(2, 1, 16, 16, requires_grad=True)
scores = model(x)
handle.remove()
scores[range(2), scores.argmax(1)].sum().backward()
saliency, _ = torch.max(x.grad.data.abs(), dim=1)
print(activation["conv2"].shape, saliency.shape)
