"""The project's tasks, one command each: makes .venv beside this file on first use, then runs the task in it.

It needs nothing but Python. A stamp inside .venv says what the environment was made for. While that still
holds, a task starts at once; when pyproject.toml has changed or a task needs more, the project is installed
again; and an environment that is unfinished, was moved, or belongs to another Python version is made anew.
Of several runs at once, one sets it up and the others wait.
"""

import ast
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
STAMP = VENV / "chainrule.json"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
VERSION = "{}.{}".format(*sys.version_info)
EXTRAS = ["demo", "test", "dev", "docs"]  # in pyproject.toml, each contains the one before it

DEMOS = sorted((HERE / "demos").glob("[0-9]*.py"))
DEMO = [HERE / "demos" / "01_digits.py"]
BENCH = [HERE / "benchmarks" / "steps.py"]
PAGES = [["-m", "sphinx", "-W", "--keep-going", "-q", "docs", HERE / "build" / "docs"]]
PICTURES = [[HERE / "docs" / "pictures.py"]]
CHECKS = [["-m", "ruff", "check"], ["-m", "ruff", "format", "--check"], ["-m", "mypy"]]
TASKS = {  # name: what it does, the extra it needs, the folder it runs in (None: the user's), its commands
    "demo": ("run a demo, by its name or number (--list shows them), or the one of handwritten digits", "demo", None, [DEMO]),
    "pictures": ("draw the pictures of README and of the pages anew, into docs/", "test", None, PICTURES),
    "test": ("run the tests; arguments go to pytest", "test", HERE, [["-m", "pytest"]]),
    "bench": ("time training steps beside the other libraries in .venv; arguments name workloads", "demo", HERE, [BENCH]),
    "docs": ("build the pages into build/docs; arguments go to Sphinx", "docs", HERE, PAGES),
    "check": ("run ruff and mypy; arguments are the files to check, or none for all", "dev", HERE, CHECKS),
}


def main(task="help", *arguments):
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one starts this file with it
        sys.exit(f"chainrule needs Python 3.11 or newer, and {sys.executable} is {VERSION}: use a newer one")
    if task in ("help", "-h", "--help"):
        print("usage: python3 run.py TASK [ARGUMENTS]\n")
        for name, (text, *_) in TASKS.items():
            print(f"  {name:10}{text}")
        return
    if task not in TASKS:
        sys.exit(f"there is no task {task!r}; the tasks are {', '.join(TASKS)}")
    _, extra, folder, commands = TASKS[task]
    if task == "demo":
        if "--list" in arguments:
            print("\n".join(f"{demo.stem:22}{ast.get_docstring(ast.parse(demo.read_bytes())).splitlines()[0]}" for demo in DEMOS))
            return
        if arguments and not arguments[0].startswith("-"):
            commands, arguments = [[demo_named(arguments[0])]], arguments[1:]
            if "chainrule[data]" in commands[0][0].read_text(encoding="utf-8"):
                extra = "test"  # the first in the chain that brings scikit-learn, for its data sets
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # their matrices are small: more threads would get in the way
    if task == "test" and not arguments:
        arguments = ("-n", "auto", "--dist", "worksteal")  # the whole suite, on all cores: who has done its part takes of others'
    if os.path.expanduser("~") == "~":  # no home folder at all, and every tool wants one for its cache
        os.environ["HOME"] = str(VENV)
    try:
        with one_at_a_time():
            prepare(extra)
    except KeyboardInterrupt:
        sys.exit("stopped while setting up; the next run begins again")
    except OSError as error:
        sys.exit(f"could not set up {VENV}: {error}")
    codes = [run([PYTHON, *command, *arguments], folder) for command in commands]
    sys.exit(next(filter(None, codes), 0))


def demo_named(name):
    """The only demo whose file has `name` in its name, or is called so."""
    found = [demo for demo in DEMOS if name in demo.stem]
    found = [demo for demo in found if name in (demo.stem, demo.stem[:2], demo.stem[3:])] or found
    if len(found) != 1:
        sys.exit(f"{'several demos are' if found else 'no demo is'} called {name!r}: {', '.join(d.stem for d in found or DEMOS)}")
    return found[0]


@contextmanager
def one_at_a_time():
    """Wait until no other run sets up .venv. The lock is on this file, and ends with its holder and what that started."""
    with open(__file__, "rb") as file:
        os.set_inheritable(file.fileno(), True)  # to pip, which may outlive a run that is killed
        waiting = False
        while not locked(file):
            if not waiting:
                print("another run is setting up .venv: waiting for it ...", file=sys.stderr, flush=True)
            waiting = True
            time.sleep(0.1)
        yield


def locked(file):
    """Lock `file`, without waiting; whether that worked, or cannot work here and so must do."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(2**30)  # beyond its end: what is locked cannot be read by others
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # this file system has no locks
        pass
    return True


def prepare(extra):
    """Make or mend .venv, if need be, so that it holds the project as it is now with at least `extra`."""
    stamp = {"folder": str(HERE), "python": VERSION, "extra": extra}
    stamp["pyproject"] = hashlib.sha256((HERE / "pyproject.toml").read_bytes()).hexdigest()
    try:
        before = STAMP.read_text(encoding="utf-8")
        found = json.loads(before)
    except FileNotFoundError:  # no .venv, or one made by hand: that is welcome, and installed into
        before, found = None, {"folder": str(HERE), "python": VERSION}
    except ValueError:
        found = {}
    usable = PYTHON.exists() and all(found.get(key) == stamp[key] for key in ("folder", "python"))
    if usable and "extra" in found:
        stamp["extra"] = max(extra, found["extra"], key=EXTRAS.index)
        if stamp == found:
            return
    if not usable and importlib.util.find_spec("ensurepip") is None:
        sys.exit(NO_ENSUREPIP)
    what = f"chainrule[{stamp['extra']}]"
    print(f"setting up .venv for {what}: about half a minute, this once ...", file=sys.stderr, flush=True)
    if VENV.exists() and not usable:
        shutil.rmtree(VENV)
    VENV.mkdir(exist_ok=True)
    STAMP.write_text("{}", encoding="utf-8")  # unfinished, should this be interrupted
    try:
        if not usable:
            problem = "Python could not make .venv, and says"
            quietly(sys._base_executable, "-m", "venv", VENV)
        problem = f"pip could not install {what} (is this machine online?), and says"
        options = ["--disable-pip-version-check", "--no-input", "--editable"]
        quietly(PYTHON, "-m", "pip", "install", *options, f".[{stamp['extra']}]")
    except subprocess.CalledProcessError as error:  # leave things as they were
        if not usable:
            shutil.rmtree(VENV)
        elif before is None:
            STAMP.unlink()
        else:
            STAMP.write_text(before, encoding="utf-8")
        lacking = "ensurepip is not available" in error.stdout  # as venv says where its files are packaged apart
        sys.exit(NO_ENSUREPIP if lacking else f"{problem}:\n{last_words(error.stdout)}")
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")


NO_ENSUREPIP = (
    "this Python cannot make virtual environments, as it lacks ensurepip; "
    f"on Debian and Ubuntu, install the package python3-venv (or python{VERSION}-venv)"
)


def quietly(python, *arguments):
    """Run Python in silence, and without the user's PYTHONPATH; an error holds all that it printed."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "close_fds": False}
    subprocess.run([python, "-I", *arguments], check=True, text=True, errors="replace", cwd=HERE, **options)


def last_words(output):
    """The lines in which pip says what went wrong, but no traceback; or, failing that, the last ones."""
    lines = [line.strip()[:200] for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"ERROR: (?!Exception:)|[\w.]+(Error|Exception): ", line)]
    return "\n".join("  " + line for line in list(dict.fromkeys(errors or lines))[-3:])


def run(command, folder):
    """Run a command in the foreground and return its exit code, the shell's 128 + N if signal N ended it."""
    child = subprocess.Popen(command, cwd=folder)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while True:
        try:
            code = child.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            pass  # the child was sent it too, and it decides


if __name__ == "__main__":
    main(*sys.argv[1:])
