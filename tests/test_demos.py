"""Every demo runs, says what it claims, and writes the pictures it names; the same seed gives the same bits."""

import pathlib
import subprocess
import sys

import pytest

DEMOS = sorted((pathlib.Path(__file__).parent.parent / "demos").glob("[0-9]*.py"))


def run(demo, out, *options):
    command = [sys.executable, str(demo), "--quick", "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_demos():
    assert DEMOS


@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.stem)
def test_demo(demo, tmp_path):
    printed = run(demo, tmp_path)
    pictures = [p for p in tmp_path.iterdir() if p.stat().st_size > 1000]
    assert pictures
    assert all(str(p) in printed for p in pictures)
    for p in pictures:
        start = p.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if p.suffix == ".png" else b"<svg" in p.read_bytes()[:1000], p
    assert "Claim: " in demo.read_text(encoding="utf-8")


def test_the_seed_decides_every_bit(tmp_path):
    (digits,) = (d for d in DEMOS if d.stem == "01_digits")
    for seed, folder in ((1, "a"), (1, "b"), (2, "c")):
        run(digits, tmp_path / folder, "--seed", str(seed))
    a, b, c = ((tmp_path / folder / "curves.png").read_bytes() for folder in "abc")
    assert a == b != c
