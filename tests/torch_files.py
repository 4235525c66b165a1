"""What the files in files/ hold: run with PyTorch installed, it writes them; without, it says what they should hold.

python tests/torch_files.py    # they were made by PyTorch 2.13
"""

import types
from collections import Counter
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "files"


def states(lib):
    """The state in each file, by either library: `lib` has `torch`, `nn` and `optim`."""
    torch, nn, optim = lib.torch, lib.nn, lib.optim
    kinds = "float16 float32 float64 int8 int16 int32 int64 uint8".split()
    dtypes = {name: (torch.arange(6) * 3).to(getattr(torch, name)).reshape(2, 3) for name in kinds}
    dtypes |= {"bool": torch.tensor([True, False]), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}
    thirds = torch.arange(7.0) / 3
    dtypes["brain"] = thirds.bfloat16() if hasattr(thirds, "bfloat16") else torch.tensor(BRAIN)

    base = torch.arange(12.0).reshape(3, 4)
    views = {"base": base, "row": base[1], "column": base[:, 2], "transposed": base.t(), "corner": base[1:, ::2]}
    views |= {"tied": base, "expanded": base[0].expand(5, 4), "parameter": nn.Parameter(torch.ones(2))}

    model, x = network(lib), torch.arange(6.0).reshape(2, 3)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    train(model, optimizer, x)
    copy = {name: t.clone() for name, t in model.state_dict().items()}
    saved = {key: value for key, value in optimizer.state_dict().items() if key == "param_groups"}
    saved["state"] = {i: {n: t.clone() for n, t in s.items()} for i, s in optimizer.state_dict()["state"].items()}
    notes = {"best": float("inf"), "big": 2**80, "tuple": (1, None, True), "list": [1.5, "ü", {}], 7: "seven"}
    checkpoint = {"model": copy, "optimizer": saved, "epoch": 3, "notes": notes, "x": x}
    train(model, optimizer, x)
    checkpoint["later"] = model(x).detach()

    values = {"set": {1, "a", (2, "b")}, "complex": 1 - 2j, "bytes": [b"a\0\xff", bytearray(b"\x80"), bytearray()]}
    values |= {"counter": Counter({2: 1, 5: 2}), (1, ("x", None)): "a tuple", "dtype": torch.float32}
    for name in ("uint16", "uint32", "uint64"):  # which are arrays here, as Tensors have no such dtypes
        numbers = np.array([0, 1, 2 ** int(name[4:]) - 1], name)
        values[name] = torch.from_numpy(numbers) if isinstance(getattr(torch, name), torch.dtype) else numbers
    return {"dtypes": dtypes, "views": views, "checkpoint": checkpoint, "values": values}


BRAIN = [0.0, 0.333984375, 0.66796875, 1.0, 1.3359375, 1.6640625, 2.0]  # thirds, rounded to eight bits


def network(lib):
    """A small model whose weights are always the same."""
    model = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.Linear(4, 2))
    with lib.torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_((lib.torch.arange(float(p.numel())) * (i + 1)).sin().reshape(*p.shape) / 2)
    return model


def train(model, optimizer, x):
    """One step."""
    optimizer.zero_grad()
    (model(x) ** 2).mean().backward()
    optimizer.step()


def narrow(torch, every):
    """By PyTorch: numbers that NumPy lacks, and the same in float32."""
    floats = [torch.arange(256).byte().view(kind) for kind in (torch.float8_e4m3fn, torch.float8_e5m2)]
    floats.append(torch.arange(-(2**15), 2**15, every).short().view(torch.bfloat16))
    return [(t, t.float()) for t in floats]


def schedule(lib, model):
    """A MultiStepLR after three of its steps, and its optimizer."""
    optimizer = lib.optim.SGD(model.parameters(), lr=0.5)
    scheduler = lib.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4, 4], 0.1)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    return scheduler, optimizer


if __name__ == "__main__":
    import torch

    FOLDER.mkdir(exist_ok=True)
    library = types.SimpleNamespace(torch=torch, nn=torch.nn, optim=torch.optim)
    scheduler, optimizer = schedule(library, network(library))
    others = {"narrow": narrow(torch, 257), "scheduler": [scheduler.state_dict(), optimizer.state_dict()]}
    for name, state in (states(library) | others).items():
        torch.save(state, FOLDER / f"{name}.pt")
