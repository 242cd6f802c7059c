"""Word vectors by negative sampling with a mask, and a table of ratings factored into users and films."""

import torch
from torch import nn

embed_v, embed_u = nn.Embedding(num_embeddings=12, embedding_dim=4), nn.Embedding(num_embeddings=12, embedding_dim=4)


def skip_gram(center, contexts_and_negatives, embed_v, embed_u):
    v = embed_v(center)
    u = embed_u(contexts_and_negatives)
    return torch.bmm(v, u.permute(0, 2, 1))


class SigmoidBCELoss(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, inputs, target, mask=None):
        out = nn.functional.binary_cross_entropy_with_logits(inputs, target, weight=mask, reduction="none")
        return out.mean(dim=1)


loss = SigmoidBCELoss()
pred = torch.tensor([[1.1, -2.2, 3.3, -4.4]] * 2)
label = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
masked = loss(pred, label, mask) * mask.shape[1] / mask.sum(axis=1)
print(masked)

center = torch.randint(0, 12, (6, 1))
contexts = torch.randint(0, 12, (6, 5))
mask = (torch.rand(6, 5) > 0.2).float()
mask[:, 0] = 1
label = torch.zeros(6, 5)
label[:, 0] = 1.0
optimizer = torch.optim.Adam(list(embed_v.parameters()) + list(embed_u.parameters()), lr=0.05)
for epoch in range(3):
    optimizer.zero_grad()
    pred = skip_gram(center, contexts, embed_v, embed_u)
    l = loss(pred.reshape(label.shape).float(), label.float(), mask) / mask.sum(axis=1) * mask.shape[1]
    l.sum().backward()
    optimizer.step()
    print(f"{l.mean().item():.4f}")


def get_similar_tokens(query, k, embed):
    W = embed.weight.data
    x = W[query]
    cos = torch.mv(W, x) / torch.sqrt(torch.sum(W * W, dim=1) * torch.sum(x * x) + 1e-9)
    found = []
    for _ in range(k):
        best = cos.argmax().item()
        found.append(best)
        cos[best] = -2
    return found


similar = get_similar_tokens(3, 4, embed_v)


class MF(nn.Module):
    def __init__(self, num_factors, num_users, num_items):
        super().__init__()
        self.P = nn.Embedding(num_users, num_factors)
        self.Q = nn.Embedding(num_items, num_factors)
        self.user_bias = nn.Embedding(num_users, 1)
        self.item_bias = nn.Embedding(num_items, 1)

    def forward(self, user_id, item_id):
        P_u, Q_i = self.P(user_id), self.Q(item_id)
        b_u, b_i = self.user_bias(user_id), self.item_bias(item_id)
        outputs = (P_u * Q_i).sum(1) + b_u.squeeze() + b_i.squeeze()
        return outputs.flatten()


users, items = torch.randint(0, 5, (20,)), torch.randint(0, 7, (20,))
ratings = 1 + 4 * torch.rand(20)
model = MF(3, 5, 7)
trainer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-4, momentum=0.5)
criterion = nn.SmoothL1Loss()
for epoch in range(4):
    trainer.zero_grad()
    l = criterion(model(users, items), ratings)
    l.backward()
    trainer.step()
rmse = ((model(users, items) - ratings) ** 2).mean().sqrt().item()
