"""Networks of the families of models/recipes, tiny, with the names that their libraries give to tensors."""
import math

import torch
import torch.nn.functional as F
from torch import nn

from example_networks import RMSNorm


def names(**children):
    """A module that is nothing but its children's names; lists become numbered."""
    module = nn.Module()
    for name, child in children.items():
        if isinstance(child, list):
            child = nn.ModuleList(child)
        setattr(module, name, child)
    return module


def attend(q, k, v, heads, kv=None, causal=False, turn=None):
    n, s, _ = q.shape
    kv = kv or heads
    q, k, v = (t.view(n, s, h, -1).transpose(1, 2) for t, h in ((q, heads), (k, kv), (v, kv)))
    if turn:
        q, k = turn(q), turn(k)
    k, v = (t.repeat_interleave(heads // kv, 1) for t in (k, v))
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(torch.ones(s, s).triu(1).bool(), -math.inf)
    return (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(n, s, -1)


def rotate(x):
    s, d = x.shape[-2:]
    angles = torch.arange(s)[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)[None]
    angles = torch.cat([angles, angles], -1)
    a, b = x.chunk(2, -1)
    return x * angles.cos() + torch.cat([-b, a], -1) * angles.sin()


class Llama(nn.Module):
    def __init__(self, tied, tokens=40, width=24, heads=6, kv=2, size=4, hidden=36, layers=2):
        super().__init__()
        lin = lambda a, b, bias=False: nn.Linear(a, b, bias=bias)
        self.heads, self.kv = heads, kv
        self.model = names(embed_tokens=nn.Embedding(tokens, width), norm=RMSNorm(width), layers=[names(
            input_layernorm=RMSNorm(width), post_attention_layernorm=RMSNorm(width),
            self_attn=names(q_proj=lin(width, heads * size, not tied), k_proj=lin(width, kv * size, not tied),
                            v_proj=lin(width, kv * size, not tied), o_proj=lin(heads * size, width)),
            mlp=names(gate_proj=lin(width, hidden), up_proj=lin(width, hidden), down_proj=lin(hidden, width))) for _ in range(layers)])
        if not tied:
            self.lm_head = lin(width, tokens)

    def forward(self, ids):
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            n, a = layer.input_layernorm(x), layer.self_attn
            x = x + a.o_proj(attend(a.q_proj(n), a.k_proj(n), a.v_proj(n), self.heads, self.kv, True, rotate))
            n, m = layer.post_attention_layernorm(x), layer.mlp
            x = x + m.down_proj(F.silu(m.gate_proj(n)) * m.up_proj(n))
        x = self.model.norm(x)
        return self.lm_head(x) if hasattr(self, "lm_head") else x @ self.model.embed_tokens.weight.t()


class Conv1D(nn.Module):
    """A linear layer whose weight is (in, out)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(inputs, outputs) / math.sqrt(inputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class Gpt2(nn.Module):
    def __init__(self, tokens=40, width=24, heads=3, places=12, hidden=36, layers=2):
        super().__init__()
        self.heads = heads
        self.transformer = names(wte=nn.Embedding(tokens, width), wpe=nn.Embedding(places, width), ln_f=nn.LayerNorm(width), h=[names(
            ln_1=nn.LayerNorm(width), attn=names(c_attn=Conv1D(width, 3 * width), c_proj=Conv1D(width, width)),
            ln_2=nn.LayerNorm(width), mlp=names(c_fc=Conv1D(width, hidden), c_proj=Conv1D(hidden, width))) for _ in range(layers)])

    def forward(self, ids):
        t = self.transformer
        x = t.wte(ids) + t.wpe.weight[:ids.shape[1]]
        for h in t.h:
            x = x + h.attn.c_proj(attend(*h.attn.c_attn(h.ln_1(x)).chunk(3, -1), self.heads, causal=True))
            m = h.mlp.c_fc(h.ln_2(x))
            x = x + h.mlp.c_proj(0.5 * m * (1 + torch.tanh(math.sqrt(2 / math.pi) * (m + 0.044715 * m ** 3))))
        return t.ln_f(x) @ t.wte.weight.t()


class Bert(nn.Module):
    def __init__(self, head, tokens=40, width=24, heads=3, places=12, hidden=36, layers=2):
        super().__init__()
        self.heads, lin, norm = heads, nn.Linear, lambda: nn.LayerNorm(width, eps=1e-12)
        self.bert = names(
            embeddings=names(word_embeddings=nn.Embedding(tokens, width), position_embeddings=nn.Embedding(places, width),
                             token_type_embeddings=nn.Embedding(2, width), LayerNorm=norm()),
            encoder=names(layer=[names(
                attention=names(self=names(query=lin(width, width), key=lin(width, width), value=lin(width, width)),
                                output=names(dense=lin(width, width), LayerNorm=norm())),
                intermediate=names(dense=lin(width, hidden)), output=names(dense=lin(hidden, width), LayerNorm=norm())) for _ in range(layers)]))
        if head == "words":
            self.cls = names(predictions=names(transform=names(dense=lin(width, width), LayerNorm=norm())))
            self.cls.predictions.bias = nn.Parameter(torch.zeros(tokens))
        else:
            self.bert.pooler = names(dense=lin(width, width))
            self.classifier = lin(width, 5)

    def forward(self, ids):
        e = self.bert.embeddings
        x = e.LayerNorm(e.word_embeddings(ids) + e.position_embeddings.weight[:ids.shape[1]] + e.token_type_embeddings.weight[0])
        for layer in self.bert.encoder.layer:
            s, o = getattr(layer.attention, "self"), layer.attention.output
            x = o.LayerNorm(x + o.dense(attend(s.query(x), s.key(x), s.value(x), self.heads)))
            x = layer.output.LayerNorm(x + layer.output.dense(F.gelu(layer.intermediate.dense(x))))
        if hasattr(self, "cls"):
            p = self.cls.predictions
            return p.transform.LayerNorm(F.gelu(p.transform.dense(x))) @ e.word_embeddings.weight.t() + p.bias
        return self.classifier(torch.tanh(self.bert.pooler.dense(x[:, 0])))


class TorchvisionViT(nn.Module):
    """Attention is PyTorch's own."""

    def __init__(self, width=24, heads=3, hidden=36, layers=2):
        super().__init__()
        self.conv_proj, self.class_token = nn.Conv2d(3, width, 4, 4), nn.Parameter(torch.randn(1, 1, width))
        norm = lambda: nn.LayerNorm(width, eps=1e-6)
        self.encoder = names(layers=names(**{f"encoder_layer_{i}": names(
            ln_1=norm(), self_attention=nn.MultiheadAttention(width, heads, batch_first=True), ln_2=norm(),
            mlp=nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width))) for i in range(layers)}), ln=norm())
        self.encoder.pos_embedding = nn.Parameter(torch.randn(1, 5, width))
        self.heads = names(head=nn.Linear(width, 5))

    def forward(self, image):
        x = self.conv_proj(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1) + self.encoder.pos_embedding
        for layer in self.encoder.layers.children():
            n = layer.ln_1(x)
            x = x + layer.self_attention(n, n, n, need_weights=False)[0]
            x = x + layer.mlp(layer.ln_2(x))
        return self.heads.head(self.encoder.ln(x)[:, 0])


class TimmViT(nn.Module):
    def __init__(self, width=24, heads=3, hidden=36, layers=2):
        super().__init__()
        self.count = heads
        norm = lambda: nn.LayerNorm(width, eps=1e-6)
        self.patch_embed, self.cls_token = names(proj=nn.Conv2d(3, width, 4, 4)), nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 5, width))
        self.blocks = nn.ModuleList(names(norm1=norm(), attn=names(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width)), norm2=norm(),
                                          mlp=names(fc1=nn.Linear(width, hidden), fc2=nn.Linear(hidden, width))) for _ in range(layers))
        self.norm, self.head = norm(), nn.Linear(width, 5)

    def forward(self, image):
        x = self.patch_embed.proj(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for b in self.blocks:
            x = x + b.attn.proj(attend(*b.attn.qkv(b.norm1(x)).chunk(3, -1), self.count))
            x = x + b.mlp.fc2(F.gelu(b.mlp.fc1(b.norm2(x))))
        return self.head(self.norm(x)[:, 0])


class HuggingFaceViT(nn.Module):
    def __init__(self, width=24, heads=3, hidden=36, layers=2):
        super().__init__()
        self.count, lin = heads, nn.Linear
        norm = lambda: nn.LayerNorm(width, eps=1e-12)
        self.vit = names(embeddings=names(patch_embeddings=names(projection=nn.Conv2d(3, width, 4, 4))), layernorm=norm(), encoder=names(layer=[names(
            layernorm_before=norm(), layernorm_after=norm(),
            attention=names(attention=names(query=lin(width, width), key=lin(width, width), value=lin(width, width)), output=names(dense=lin(width, width))),
            intermediate=names(dense=lin(width, hidden)), output=names(dense=lin(hidden, width))) for _ in range(layers)]))
        self.vit.embeddings.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.vit.embeddings.position_embeddings = nn.Parameter(torch.randn(1, 5, width))
        self.classifier = lin(width, 5)

    def forward(self, image):
        e = self.vit.embeddings
        x = e.patch_embeddings.projection(image).flatten(2).transpose(1, 2)
        x = torch.cat([e.cls_token.expand(len(x), -1, -1), x], 1) + e.position_embeddings
        for layer in self.vit.encoder.layer:
            n, a = layer.layernorm_before(x), layer.attention
            x = x + a.output.dense(attend(a.attention.query(n), a.attention.key(n), a.attention.value(n), self.count))
            x = x + layer.output.dense(F.gelu(layer.intermediate.dense(layer.layernorm_after(x))))
        return self.classifier(self.vit.layernorm(x)[:, 0])


class ResNetBlock(nn.Module):
    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 2 * width if bottleneck else width
        conv = lambda a, b, k, s=1: nn.Conv2d(a, b, k, s, (k - 1) // 2, bias=False)
        if bottleneck:
            self.conv1, self.conv2, self.conv3 = conv(inputs, width, 1), conv(width, width, 3, stride), conv(width, outputs, 1)
            self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(width), nn.BatchNorm2d(width), nn.BatchNorm2d(outputs)
        else:
            self.conv1, self.conv2 = conv(inputs, width, 3, stride), conv(width, width, 3)
            self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if hasattr(self, "conv3"):
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck, widths=(6, 8, 10, 12)):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), nn.BatchNorm2d(widths[0])
        inputs, times = widths[0], 2 if bottleneck else 1
        for i, (count, width) in enumerate(zip(blocks, widths)):
            stage = []
            for b in range(count):
                stage.append(ResNetBlock(inputs, width, 2 if i > 0 and b == 0 else 1, bottleneck))
                inputs = width * times
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
        self.fc = nn.Linear(inputs, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for i in range(4):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, self.conv2 = nn.Conv2d(3, 10, 3, padding=1), nn.BatchNorm2d(10), nn.Conv2d(10, 14, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(14, 12), nn.Linear(12, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.mean((2, 3)))))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(7, 16), nn.Linear(16, 12), nn.Linear(12, 5)

    def forward(self, x):
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


def chain():
    return nn.Sequential(nn.Linear(7, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 12, bias=False), nn.LayerNorm(12), nn.ReLU(), nn.Linear(12, 5))


IDS, PICTURE, LARGE, VECTOR = (40, (2, 7)), (2, 3, 8, 8), (2, 3, 40, 40), (3, 7)
# name: (what makes it, shape of its input, or the number of tokens and the shape)
STATE_DICTS = {
    "llama": (lambda: Llama(False), IDS),
    "llama_tied": (lambda: Llama(True), IDS),
    "gpt2": (Gpt2, IDS),
    "bert_words": (lambda: Bert("words"), IDS),
    "bert_classes": (lambda: Bert("classes"), IDS),
    "vit": (TorchvisionViT, PICTURE),
    "vit_timm": (TimmViT, PICTURE),
    "vit_hf": (HuggingFaceViT, PICTURE),
    "resnet18": (lambda: ResNet((2, 2, 2, 2), False), LARGE),
    "resnet34": (lambda: ResNet((3, 4, 6, 3), False), LARGE),
    "resnet50": (lambda: ResNet((3, 4, 6, 3), True), LARGE),
    "cnn": (Cnn, PICTURE),
    "mlp": (Mlp, VECTOR),
    "chain": (chain, VECTOR),
}
