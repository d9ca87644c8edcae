"""A contender: PyTorch, the same step. Arguments: threads, the shape as JSON."""

import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(int(sys.argv[1]))
shape = json.loads(sys.argv[2])
vocabulary, hidden, layers, heads = (shape[k] for k in ("vocabulary", "hidden", "layers", "heads"))
mlp, rank, batch, length = (shape[k] for k in ("mlp", "rank", "batch", "length"))
width = hidden // heads


def frozen(*dimensions):
    return nn.Parameter(torch.randn(*dimensions) * 0.02, requires_grad=False)


class Linear(nn.Module):
    """y = x W^T + 2 (x A^T) B^T."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.w = frozen(outputs, inputs)
        self.a = nn.Parameter(torch.randn(rank, inputs) * 0.02)
        self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x):
        return F.linear(x, self.w) + 2 * F.linear(F.linear(x, self.a), self.b)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(hidden), requires_grad=False)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.w


angles = torch.outer(torch.arange(length), 10_000 ** (-2 * torch.arange(width // 2) / width))
cosines, sines = angles.cos(), angles.sin()
causal = torch.triu(torch.full((length, length), -1e9), 1)


def by_head(x):
    return x.view(batch, length, heads, width).transpose(1, 2)


def rotate(x):
    x1, x2 = x.chunk(2, -1)
    return torch.cat([x1 * cosines - x2 * sines, x2 * cosines + x1 * sines], -1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = Norm(), Norm()
        self.query, self.key = Linear(hidden, hidden), Linear(hidden, hidden)
        self.value, self.output = Linear(hidden, hidden), Linear(hidden, hidden)
        self.gate, self.up, self.down = Linear(hidden, mlp), Linear(hidden, mlp), Linear(mlp, hidden)

    def forward(self, x):
        h = self.norm1(x)
        query, key = rotate(by_head(self.query(h))), rotate(by_head(self.key(h)))
        scores = query @ key.transpose(-1, -2) / math.sqrt(width) + causal
        mixed = torch.softmax(scores, -1) @ by_head(self.value(h))
        x = x + self.output(mixed.transpose(1, 2).reshape(batch * length, hidden))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = frozen(vocabulary, hidden)
        self.blocks = nn.ModuleList(Block() for _ in range(layers))
        self.norm = Norm()

    def forward(self, tokens):
        x = F.embedding(tokens, self.embedding)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.embedding)


torch.manual_seed(0)
model = Model()
trained = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(trained, lr=1e-3)
rows = torch.arange(batch * length)
tokens = rows * 7_919 % vocabulary
labels = (rows + 1) * 7_919 % vocabulary


def step():
    optimiser.zero_grad()
    loss = F.cross_entropy(model(tokens), labels)
    loss.backward()
    nn.utils.clip_grad_norm_(trained, 1.0)
    optimiser.step()
    return loss.item()


for _ in range(3):
    step()
print(json.dumps({"ready": True, "version": torch.__version__}), flush=True)
for line in sys.stdin:
    steps = int(line)
    start = time.perf_counter()
    for _ in range(steps):
        loss = step()
    seconds = (time.perf_counter() - start) / steps
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"secondsPerStep": seconds, "loss": loss, "peakRssBytes": peak}), flush=True)
