"""Write the course, demos/README.md: run demos in full on three seeds, and keep what they measured and drew.

    python demos/course.py            # the page again, from what was measured before
    python demos/course.py 10 xor     # run these first (a number, or part of a name), or --all; --seeds 0 for one seed only

Of each demo it keeps the sentence of its claim for seed 0 and the seconds, in measured.json, and its first picture, in pictures/.
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MEASURED = HERE / "measured.json"
DEMOS = sorted(HERE.glob("[0-9]*.py"))
CHAPTERS = {  # the tens of a demo's number
    "First steps": (0,),
    "Foundations": (1,),
    "Training well": (2,),
    "Projects": (3,),
    "Vision": (4,),
    "Sequences": (5, 6),
    "Trust and scale": (7, 8, 9),
}
HEAD = """# The course

Programs to read from top to bottom, in this order. Each says what it claims, measures it, fails if it does not hold,
and saves a picture.

    python3 run.py demo --list          # what there is
    python3 run.py demo xor             # one of them, by its name or number; --quick takes seconds, --seed N is another try
    python demos/course.py xor          # measure it again on three seeds and write this page

`demos/common.py` has what they share: the options, the saving of the picture, the stating of the claim. *Measured* is what the
last full run printed for seed 0; the claim held for all seeds that stand beside it.
"""


def described(demo: pathlib.Path) -> tuple[str, str]:
    """The first line of its docstring, and its claim."""
    doc = ast.get_docstring(ast.parse(demo.read_text(encoding="utf-8")))
    claim = re.search(r"Claim: (.*?)(?:\n\n|\s*\Z|\sWrites )", doc, re.DOTALL)
    return doc.split("\n")[0], " ".join(claim[1].split())


def measure(demo: pathlib.Path, seeds: list[int]) -> dict:
    """Run it on each seed; the sentence and the picture are those of the first."""
    found = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(demo), "--seed", str(seed), "--out", folder]
            start = time.perf_counter()
            printed = subprocess.run(command, capture_output=True, text=True)
            seconds = time.perf_counter() - start
            if printed.returncode:
                sys.exit(f"{demo.stem}, seed {seed}: {printed.stdout}{printed.stderr}")
            if not found:
                (sentence,) = re.findall(r"^The claim holds: (.*)", printed.stdout, re.MULTILINE)
                picture = next(line for line in printed.stdout.splitlines() if re.search(r"\.(png|svg)$", line))
                name = f"{demo.stem}{pathlib.Path(picture).suffix}"
                (HERE / "pictures").mkdir(exist_ok=True)
                shutil.copyfile(picture, HERE / "pictures" / name)
                found = {"measured": sentence, "seconds": max(1, round(seconds)), "picture": name, "seeds": seeds}
    return found


def page(measured: dict) -> str:
    """The text of demos/README.md."""
    lines = [HEAD]
    for chapter, tens in CHAPTERS.items():
        demos = [demo for demo in DEMOS if int(demo.stem[:2]) // 10 in tens]
        if not demos:
            continue
        lines += [f"## {chapter}\n", "| demo | claim | measured | picture |", "| --- | --- | --- | --- |"]
        for demo in demos:
            (what, claim), found = described(demo), measured.get(demo.stem)
            row = f"| [{demo.stem}]({demo.name}): {what} | {claim} | "
            if found:
                seeds = ", ".join(map(str, found["seeds"]))
                picture = f'<img src="pictures/{found["picture"]}" width="320" alt="{what}">'
                row += f"{found['measured']} (seeds {seeds}; {found['seconds']} s) | {picture} |"
            else:
                row += "not yet | |"
            lines.append(row)
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="numbers, or parts of names, of the demos to run")
    parser.add_argument("--all", action="store_true", help="run all of them")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    for demo in DEMOS:
        if options.all or any(name in demo.stem for name in options.names):
            measured[demo.stem] = measure(demo, options.seeds)
            print(f"{demo.stem}: {measured[demo.stem]['measured']}", flush=True)
        kept = {demo.stem: measured[demo.stem] for demo in DEMOS if demo.stem in measured}
        MEASURED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (HERE / "README.md").write_text(page(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
