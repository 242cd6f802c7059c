"""A character-level recurrent network written with tensors: one-hot inputs, hidden state, clipped gradients, perplexity."""

import math

import torch
from torch import nn
from torch.nn import functional as F

text = "the time machine by h g wells the time traveller for so it will be convenient to speak of him "
vocab = sorted(set(text))
char_to_idx = {ch: i for i, ch in enumerate(vocab)}
corpus = torch.tensor([char_to_idx[ch] for ch in text], dtype=torch.long)
num_steps, batch_size, num_hiddens = 6, 2, 12


def seq_data_iter_sequential(corpus, batch_size, num_steps):
    num_tokens = ((len(corpus) - 1) // batch_size) * batch_size
    Xs = corpus[:num_tokens].reshape(batch_size, -1)
    Ys = corpus[1 : num_tokens + 1].reshape(batch_size, -1)
    for i in range(0, Xs.shape[1] // num_steps * num_steps, num_steps):
        yield Xs[:, i : i + num_steps], Ys[:, i : i + num_steps]


class RNNModelScratch:
    def __init__(self, vocab_size, num_hiddens):
        def normal(shape):
            return torch.randn(size=shape) * 0.1

        self.vocab_size, self.num_hiddens = vocab_size, num_hiddens
        self.params = [normal((vocab_size, num_hiddens)), normal((num_hiddens, num_hiddens)), torch.zeros(num_hiddens),
                       normal((num_hiddens, vocab_size)), torch.zeros(vocab_size)]
        for param in self.params:
            param.requires_grad_(True)

    def __call__(self, X, state):
        X = F.one_hot(X.T, self.vocab_size).type(torch.float32)
        W_xh, W_hh, b_h, W_hq, b_q = self.params
        (H,) = state
        outputs = []
        for x in X:
            H = torch.tanh(torch.mm(x, W_xh) + torch.mm(H, W_hh) + b_h)
            outputs.append(torch.mm(H, W_hq) + b_q)
        return torch.cat(outputs, dim=0), (H,)

    def begin_state(self, batch_size):
        return (torch.zeros((batch_size, self.num_hiddens)),)


def grad_clipping(net, theta):
    if isinstance(net, nn.Module):
        params = [p for p in net.parameters() if p.requires_grad]
    else:
        params = net.params
    norm = torch.sqrt(sum(torch.sum((p.grad**2)) for p in params))
    if norm > theta:
        for param in params:
            param.grad[:] *= theta / norm


def predict(prefix, num_preds, net):
    state = net.begin_state(batch_size=1)
    outputs = [char_to_idx[prefix[0]]]
    for y in prefix[1:]:
        _, state = net(torch.tensor([outputs[-1]]).reshape((1, 1)), state)
        outputs.append(char_to_idx[y])
    for _ in range(num_preds):
        y, state = net(torch.tensor([outputs[-1]]).reshape((1, 1)), state)
        outputs.append(int(y.argmax(dim=1).reshape(1)))
    return "".join([vocab[i] for i in outputs])


net = RNNModelScratch(len(vocab), num_hiddens)
loss = nn.CrossEntropyLoss()
for epoch in range(2):
    state, total, count = None, 0.0, 0
    for X, Y in seq_data_iter_sequential(corpus, batch_size, num_steps):
        if state is None:
            state = net.begin_state(batch_size=X.shape[0])
        else:
            state = tuple(s.detach() for s in state)
        y = Y.T.reshape(-1)
        y_hat, state = net(X, state)
        l = loss(y_hat, y.long()).mean()
        for param in net.params:
            param.grad = None
        l.backward()
        grad_clipping(net, 1)
        with torch.no_grad():
            for param in net.params:
                param -= 0.5 * param.grad
        total, count = total + l.item() * y.numel(), count + y.numel()
    print(f"perplexity {math.exp(total / count):.1f}")
params = net.params
print(len(predict("time ", 5, net)))


class GRUCell(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.x2h = nn.Linear(inputs, 3 * hidden)
        self.h2h = nn.Linear(hidden, 3 * hidden)

    def forward(self, x, h):
        xr, xz, xn = self.x2h(x).chunk(3, 1)
        hr, hz, hn = self.h2h(h).chunk(3, dim=1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (1 - z) * n + z * h


embedding, cell = nn.Embedding(len(vocab), 4), GRUCell(4, 6)
h = torch.zeros(2, 6)
for step in corpus[:10].view(5, 2):
    h = cell(embedding(step), h)
h.pow(2).mean().backward()
