"""Small networks of every kind that `dws symmetry` must read, in PyTorch; scripts/make_models.py exports them.

Sizes differ wherever they can, so that no axis is taken for another, and nothing is left at 0 or 1.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(30 * x)


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def mlp(activation, sizes=(7, 24, 20, 5)):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


def norm_mlp(norm):
    return nn.Sequential(nn.Linear(7, 24), norm(24), nn.ReLU(), nn.Linear(24, 20), norm(20), nn.GELU(), nn.Linear(20, 5))


def cnn():
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(12, 20, 3, bias=False), nn.BatchNorm2d(20), nn.ReLU(), nn.Flatten(),
                         nn.Linear(20 * 2 * 2, 14), nn.ReLU(), nn.Linear(14, 5))


def separable():
    return nn.Sequential(nn.Conv2d(3, 12, 1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1, groups=12),
                         nn.BatchNorm2d(12), nn.ReLU6(), nn.Conv2d(12, 20, 1), nn.ReLU(),
                         nn.Conv2d(20, 40, 3, groups=4), nn.ReLU(), nn.Conv2d(40, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class ResidualBlock(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside)
        self.second, self.second_norm = nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside)
        self.skip = nn.Sequential()
        if stride != 1:
            self.skip = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.skip(x))


def resnet():
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), ResidualBlock(12, 12, 1), ResidualBlock(12, 20, 2),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 5))


def group_norm():
    return nn.Sequential(nn.Conv2d(3, 24, 3), nn.GroupNorm(4, 24), nn.SiLU(), nn.Conv2d(24, 10, 3), nn.InstanceNorm2d(10, affine=True),
                         nn.ReLU(), nn.Conv2d(10, 5, 1))


class ShuffleUnit(nn.Module):
    def __init__(self, half=10):
        super().__init__()
        self.half = half
        self.branch = nn.Sequential(nn.Conv2d(half, half, 1), nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, groups=half), nn.Conv2d(half, half, 1), nn.ReLU())

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        y = torch.cat([a, self.branch(b)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def shuffle():
    return nn.Sequential(nn.Conv2d(3, 20, 3), ShuffleUnit(), ShuffleUnit(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 5))


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(8, 6, 3, padding=1), nn.Conv2d(14, 6, 3, padding=1), nn.Conv2d(20, 10, 1)
        self.norm = nn.BatchNorm2d(14)
        self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Linear(10, 5)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = torch.cat([x, F.relu(self.first(x))], 1)
        x = torch.cat([x, F.relu(self.second(self.norm(x)))], 1)
        return self.head(F.relu(self.third(x)).mean((2, 3)))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 14, 3, padding=1)
        self.up, self.join, self.out = nn.ConvTranspose2d(14, 10, 2, stride=2), nn.Conv2d(18, 12, 3, padding=1), nn.Conv2d(12, 2, 1)

    def forward(self, x):
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(F.max_pool2d(a, 2)))
        return self.out(F.relu(self.join(torch.cat([a, self.up(b)], 1))))


def pixel_shuffle():
    return nn.Sequential(nn.Conv2d(3, 10, 3, padding=1), nn.PReLU(), nn.Conv2d(10, 24, 3, padding=1), nn.PixelShuffle(2), nn.LeakyReLU(0.1),
                         nn.Conv2d(6, 3, 3, padding=1))


class Attention(nn.Module):
    """Heads as views of one projection each; fewer keys than queries where `kv` is smaller; rotary embedding where asked."""

    def __init__(self, width, heads, size, kv=None, rotary=False, fused=False, bias=True):
        super().__init__()
        self.heads, self.size, self.kv, self.rotary, self.fused = heads, size, kv or heads, rotary, fused
        if fused:
            self.qkv = nn.Linear(width, 3 * heads * size, bias=bias)
        else:
            self.q, self.k, self.v = (nn.Linear(width, n * size, bias=bias) for n in (heads, self.kv, self.kv))
        self.o = nn.Linear(heads * size, width, bias=bias)
        if rotary:
            self.register_buffer("inv_freq", 10000 ** (-torch.arange(0, size, 2).float() / size))

    def turn(self, x, cos, sin):
        a, b = x.chunk(2, dim=-1)
        return x * cos + torch.cat([-b, a], -1) * sin

    def forward(self, x, causal=False):
        n, s, _ = x.shape
        parts = self.qkv(x).chunk(3, dim=-1) if self.fused else (self.q(x), self.k(x), self.v(x))
        q, k, v = (p.view(n, s, -1, self.size).transpose(1, 2) for p in parts)
        if self.rotary:
            angles = torch.arange(s).float()[:, None] * self.inv_freq[None]
            angles = torch.cat([angles, angles], -1)
            q, k = self.turn(q, angles.cos(), angles.sin()), self.turn(k, angles.cos(), angles.sin())
        if self.kv != self.heads:
            group = self.heads // self.kv
            k, v = (t[:, :, None].expand(n, self.kv, group, s, self.size).reshape(n, self.heads, s, self.size) for t in (k, v))
        scores = q @ k.transpose(2, 3) / math.sqrt(self.size)
        if causal:
            scores = scores + torch.full((s, s), -1e9).triu(1)
        y = torch.softmax(scores, -1) @ v
        return self.o(y.transpose(1, 2).reshape(n, s, self.heads * self.size))


class EncoderLayer(nn.Module):
    def __init__(self, width, heads, size, hidden, pre, fused=False):
        super().__init__()
        self.attention, self.pre = Attention(width, heads, size, fused=fused), pre
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x):
        if self.pre:
            x = x + self.attention(self.first(x))
            return x + self.mlp(self.second(x))
        x = self.first(x + self.attention(x))
        return self.second(x + self.mlp(x))


class Encoder(nn.Module):
    def __init__(self, pre, fused=False, tokens=40, width=20, length=6):
        super().__init__()
        self.embedding, self.position = nn.Embedding(tokens, width), nn.Parameter(torch.randn(length, width))
        self.layers = nn.Sequential(*(EncoderLayer(width, 3, 8, 28, pre, fused) for _ in range(2)))
        self.head = nn.Linear(width, 5)

    def forward(self, ids):
        return self.head(self.layers(self.embedding(ids) + self.position).mean(1))


class Decoder(nn.Module):
    """Grouped queries, rotary embedding, SwiGLU, RMS norm, causal; the embedding is the head too."""

    def __init__(self, tokens=40, width=24, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(2 * layers + 1))
        self.attention = nn.ModuleList(Attention(width, 6, 8, kv=2, rotary=True, bias=False) for _ in range(layers))
        self.gate, self.up, self.down = (nn.ModuleList(nn.Linear(a, b, bias=False) for _ in range(layers)) for a, b in ((width, 36), (width, 36), (36, width)))

    def forward(self, ids):
        x = self.embedding(ids)
        for i, attention in enumerate(self.attention):
            x = x + attention(self.norms[2 * i](x), causal=True)
            y = self.norms[2 * i + 1](x)
            x = x + self.down[i](F.silu(self.gate[i](y)) * self.up[i](y))
        return self.norms[-1](x) @ self.embedding.weight.t()


class ViT(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, width, 4, 4), nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width))
        self.layers = nn.Sequential(*(EncoderLayer(width, 2, 10, 28, True, fused=True) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.head(self.norm(self.layers(x))[:, 0])


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.body = kind(7, 12, 2, batch_first=True, **options)
        self.head = nn.Linear(24 if options.get("bidirectional") else 12, 5)

    def forward(self, x):
        return self.head(self.body(x)[0])


def library_encoder():
    return nn.TransformerEncoderLayer(20, 4, 28, dropout=0, batch_first=True, activation="gelu")


PICTURE, VECTOR, SEQUENCE = (2, 3, 8, 8), (3, 7), (2, 6, 7)
# name: (what makes it, shape of its input, or the number of tokens and the shape, options of the export)
NETWORKS = {
    "mlp_relu": (lambda: mlp(nn.ReLU), VECTOR, {"dynamic": True}),
    "mlp_tanh": (lambda: mlp(nn.Tanh), VECTOR, {}),
    "mlp_sine": (lambda: mlp(Sine, (2, 32, 24, 1)), (9, 2), {"opset": 11}),
    "mlp_leaky_relu": (lambda: mlp(lambda: nn.LeakyReLU(0.2)), VECTOR, {}),
    "mlp_gelu": (lambda: mlp(nn.GELU), VECTOR, {}),
    "mlp_layer_norm": (lambda: norm_mlp(nn.LayerNorm), VECTOR, {}),
    "mlp_layer_norm_node": (lambda: norm_mlp(nn.LayerNorm), VECTOR, {"opset": 17}),
    "mlp_rms_norm": (lambda: norm_mlp(RMSNorm), VECTOR, {}),
    "cnn": (cnn, PICTURE, {}),
    "cnn_batch_norm": (cnn, PICTURE, {"keep_norms": True, "dynamic": True}),
    "separable": (separable, PICTURE, {"keep_norms": True}),
    "resnet": (resnet, PICTURE, {"keep_norms": True}),
    "group_norm": (group_norm, PICTURE, {}),
    "shuffle": (shuffle, PICTURE, {}),
    "dense": (Dense, PICTURE, {"keep_norms": True}),
    "unet": (UNet, PICTURE, {}),
    "pixel_shuffle": (pixel_shuffle, PICTURE, {}),
    "encoder_pre_norm": (lambda: Encoder(True), (40, (2, 6)), {}),
    "encoder_post_norm": (lambda: Encoder(False), (40, (2, 6)), {"opset": 17}),
    "encoder_fused": (lambda: Encoder(True, fused=True), (40, (2, 6)), {"dynamic": True}),
    "encoder_library": (library_encoder, (2, 6, 20), {}),
    "decoder": (Decoder, (40, (2, 6)), {"opset": 14}),
    "vit": (ViT, PICTURE, {}),
    "lstm": (lambda: Recurrent(nn.LSTM), SEQUENCE, {}),
    "gru": (lambda: Recurrent(nn.GRU), SEQUENCE, {}),
    "lstm_bidirectional": (lambda: Recurrent(nn.LSTM, bidirectional=True), SEQUENCE, {}),
}
