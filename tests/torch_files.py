"""What the files in files/ hold: run with PyTorch installed, it writes them; without, it says what they should hold.

python tests/torch_files.py    # they were made by PyTorch 2.13
"""

import types
from pathlib import Path

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
    return {"dtypes": dtypes, "views": views, "checkpoint": checkpoint}


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


if __name__ == "__main__":
    import torch

    FOLDER.mkdir(exist_ok=True)
    for name, state in states(types.SimpleNamespace(torch=torch, nn=torch.nn, optim=torch.optim)).items():
        torch.save(state, FOLDER / f"{name}.pt")
