#!/usr/bin/env python3
"""Exports small networks of every kind to ONNX, as PyTorch does it: tests/models.

usage: make_models.py [OUT] [--only NAME...]

For developers, with Debian's python3-torch (1.13); the tests read what is committed. For each network of
example_networks.py writes NAME.onnx, for each of example_state_dicts.py stored/NAME.safetensors, its tensors alone; and
beside each NAME.io.safetensors: inputs in.0, ... and PyTorch's outputs out.0, ...
"""
import argparse
import json
import os
import struct
import zlib

import torch

from example_networks import NETWORKS
from example_state_dicts import STATE_DICTS

HERE = os.path.dirname(os.path.abspath(__file__))


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        array = tensor.detach().contiguous().numpy()
        bytes_ = array.tobytes()
        header[name] = {"dtype": {"float32": "F32", "int64": "I64"}[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def unsettle(net):
    """Norms and biases start at 0 and 1, which would hide mistakes."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
        for name, buffer in net.named_buffers():
            if "running_mean" in name:
                buffer.normal_()
            if "running_var" in name:
                buffer.uniform_(0.5, 2)


def prepare(name, build, shape):
    torch.manual_seed(zlib.crc32(name.encode()))
    net = build().eval()
    unsettle(net)
    return net, torch.randint(shape[0], shape[1]) if isinstance(shape[1], tuple) else torch.randn(shape)


def store(name, out):
    net, x = prepare(name, *STATE_DICTS[name])
    path = os.path.join(out, "stored", f"{name}.safetensors")
    with torch.no_grad():
        write_safetensors(path, net.state_dict())
        write_safetensors(path.replace(".safetensors", ".io.safetensors"), {"in.0": x, "out.0": net(x)})
    print(f"stored/{name}: {os.path.getsize(path)} bytes")


def make(name, out):
    build, shape, options = NETWORKS[name]
    net, x = prepare(name, build, shape)
    path = os.path.join(out, f"{name}.onnx")
    keep = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False} if options.get("keep_norms") else {}
    axes = {"dynamic_axes": {"input": {0: "batch"}, "output": {0: "batch"}}} if options.get("dynamic") else {}
    torch.onnx.export(net, x, path, opset_version=options.get("opset", 13), input_names=["input"], output_names=["output"],
                      **keep, **axes)
    with torch.no_grad():
        write_safetensors(os.path.join(out, f"{name}.io.safetensors"), {"in.0": x, "out.0": net(x)})
    print(f"{name}: {os.path.getsize(path)} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", default=os.path.join(HERE, "..", "tests", "models"))
    parser.add_argument("--only", nargs="*", choices=sorted({**NETWORKS, **STATE_DICTS}))
    arguments = parser.parse_args()
    os.makedirs(os.path.join(arguments.out, "stored"), exist_ok=True)
    for name in arguments.only or NETWORKS:
        if name in NETWORKS:
            make(name, arguments.out)
    for name in arguments.only or STATE_DICTS:
        if name in STATE_DICTS:
            store(name, arguments.out)


if __name__ == "__main__":
    main()
