"""A contender: PyTorch, the same step from the same checkpoint. Argument: the StepSpec as JSON."""

import json
import math
import os
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
torch.manual_seed(0)
with open(os.path.join(spec["folder"], "config.json")) as file:
    config = json.load(file)
vocabulary, hidden, mlp = config["vocab_size"], config["hidden_size"], config["intermediate_size"]
heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
batch, length, rank = spec["batch"], spec["length"], spec["rank"]
width, groups, full = hidden // heads, heads // key_heads, spec["trained"] == "full"
biased = config["model_type"] == "qwen2"


def read_weights(path):
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    data = numpy.memmap(path, dtype=numpy.uint8, mode="r", offset=8 + size)
    weights = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.array(data[begin:end]).view(numpy.float32).reshape(entry["shape"])
        weights[name] = nn.Parameter(torch.from_numpy(values), requires_grad=full)
    return weights


weights = read_weights(os.path.join(spec["folder"], "model.safetensors"))


class Linear(nn.Module):
    """y = x W^T + b, and LoRA on top where the layer is adapted."""

    def __init__(self, name):
        super().__init__()
        self.w = weights[name + ".weight"]
        self.bias = weights.get(name + ".bias")
        kind = name.split(".")[-1]
        self.adapted = spec["trained"] == "all" or (
            spec["trained"] == "qv" and kind in ("q_proj", "v_proj")
        )
        if self.adapted:
            outputs, inputs = self.w.shape
            bound = 1 / math.sqrt(inputs)
            self.a = nn.Parameter((2 * torch.rand(rank, inputs) - 1) * bound)
            self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x):
        y = F.linear(x, self.w, self.bias)
        if not self.adapted:
            return y
        return y + F.linear(F.linear(x, self.a) * (spec["alpha"] / rank), self.b)


class Norm(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.w = weights[name + ".weight"]

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + config["rms_norm_eps"]) * self.w


exponents = -2 * torch.arange(width // 2) / width
angles = torch.outer(torch.arange(length).float(), config["rope_theta"] ** exponents)
cosines, sines = angles.cos(), angles.sin()
causal = torch.triu(torch.full((length, length), -1e9), 1)


def by_head(x, count):
    return x.view(batch, length, count, width).transpose(1, 2)


def rotate(x):
    x1, x2 = x.chunk(2, -1)
    return torch.cat([x1 * cosines - x2 * sines, x2 * cosines + x1 * sines], -1)


def for_each_query(x):
    return x if groups == 1 else x.repeat_interleave(groups, 1)


class Block(nn.Module):
    def __init__(self, index):
        super().__init__()
        name = f"model.layers.{index}."
        self.norm1, self.norm2 = Norm(name + "input_layernorm"), Norm(name + "post_attention_layernorm")
        self.query, self.key, self.value, self.output = (
            Linear(f"{name}self_attn.{kind}_proj") for kind in "qkvo"
        )
        self.gate, self.up, self.down = (
            Linear(f"{name}mlp.{kind}_proj") for kind in ("gate", "up", "down")
        )

    def forward(self, x):
        h = self.norm1(x)
        query = rotate(by_head(self.query(h), heads)) / math.sqrt(width)
        key = for_each_query(rotate(by_head(self.key(h), key_heads)))
        value = for_each_query(by_head(self.value(h), key_heads))
        mixed = torch.softmax(query @ key.transpose(-1, -2) + causal, -1) @ value
        x = x + self.output(mixed.transpose(1, 2).reshape(batch * length, hidden))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = weights["model.embed_tokens.weight"]
        self.blocks = nn.ModuleList(Block(i) for i in range(config["num_hidden_layers"]))
        self.norm = Norm("model.norm")

    def forward(self, tokens):
        x = F.embedding(tokens, self.embedding)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.embedding)


model = Model()
trained = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(
    trained, lr=spec["learningRate"], betas=(0.9, 0.99), weight_decay=0.01, foreach=True
)
positions = torch.arange(batch * length)
tokens = positions * 7_919 % vocabulary
labels = (positions + 1) * 7_919 % vocabulary


def step():
    optimiser.zero_grad(set_to_none=True)
    loss = F.cross_entropy(model(tokens), labels)
    loss.backward()
    nn.utils.clip_grad_norm_(trained, 1.0)
    optimiser.step()
    return loss.item()


def peak_memory():
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


first_loss = step()
start = time.perf_counter()
step()
ready = {
    "seconds": time.perf_counter() - start,
    "firstLoss": first_loss,
    "version": torch.__version__,
}
print(json.dumps(ready), flush=True)
for line in sys.stdin:
    units = int(line)
    step()  # Does not count: caches and clocks are cold.
    start = time.perf_counter()
    for _ in range(units):
        loss = step()
    seconds = (time.perf_counter() - start) / units
    report = {"seconds": seconds, "loss": loss, "peakRssBytes": peak_memory()}
    print(json.dumps(report), flush=True)
