"""Restate, HAProxy and two workers of another SDK, put together as compose.yaml does; only names and ports are of this machine."""

import concurrent.futures, contextlib, json, os, re, shutil, time, urllib.error, urllib.request

from tools import DEPLOY, REPO, NotRun, answers, debian, documents, free_ports, get, holds, python, restate_server, run, service

# Not flowctl, so that deploy/ is judged without building it: scripts/test-restate has the real one.
WORKER = """
import asyncio, sys, restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
name, bind, key = sys.argv[1:]
node = restate.Service("FlowNode")
@node.handler("exec")
async def attempt(ctx: restate.Context, seconds: float) -> str:
    async def work() -> str:
        await asyncio.sleep(seconds)
        return name
    return await ctx.run_typed("work", work)
config = Config()
config.bind, config.accesslog = [bind], None
asyncio.run(serve(restate.app(services=[node], identity_keys=[key]), config))
"""


def together(work):
    yield lambda: as_compose_does(work)


def public_key(work):
    """What docs/scale-out.md tells people to run, run."""
    blocks = re.findall(r"^```sh\n(openssl pkey .*?)^```", (REPO / "docs" / "scale-out.md").read_text(), re.M | re.S)
    holds(len(blocks) == 1, "docs/scale-out.md does not say how to get the public key")
    done = run(["bash", "-euo", "pipefail", "-c", blocks[0]], cwd=work)
    holds(done.returncode == 0 and done.stdout.startswith("publickeyv1_"), f"docs/scale-out.md: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def as_compose_does(work):
    for program in ("curl", "openssl"):
        if not shutil.which(program):
            raise NotRun(f"{program} is not installed")
    sdk, proxy, server = python("restate-sdk", "hypercorn"), debian("haproxy", "haproxy"), restate_server()
    first, second, stranger, fabric, ingress, admin, *fronts, nobody = free_ports(11)
    front = dict(zip(("9080", "9081", "8080", "9070"), fronts))
    text = (DEPLOY / "haproxy.cfg").read_text()
    template = "  server-template worker- 16 worker:9080 proto h2"
    holds(template in text, f"`{template.strip()}` is gone from haproxy.cfg: change it here, too")
    text = text.replace(template, "\n".join(f"  server worker-{port} 127.0.0.1:{port} proto h2" for port in (first, second)))
    for name, port in front.items():
        text = text.replace(f"bind :{name}", f"bind 127.0.0.1:{port}")
    # Of three nodes one is there.
    text = text.replace("restate-1:8080", f"127.0.0.1:{ingress}").replace("restate-1:9070", f"127.0.0.1:{admin}")
    text = re.sub(r" restate-[23]:\d+", f" 127.0.0.1:{nobody}", text)
    (work / "haproxy.cfg").write_text(text)
    (work / "worker.py").write_text(WORKER)
    for name in ("request-identity", "another"):
        holds(run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", work / f"{name}.pem"]).returncode == 0, "openssl makes no key")
    key = public_key(work)
    settings = {
        "RESTATE_BASE_DIR": str(work / "data"), "RESTATE_BIND_PORT": str(fabric), "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{fabric}/",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}", "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(work / "request-identity.pem"),
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(service([server, "--config-file", DEPLOY / "restate.toml", "--no-logo"], work, "restate", **settings))
        stack.enter_context(service([proxy, "-db", "-f", "haproxy.cfg"], work, "haproxy"))
        answers(lambda: get(f"http://127.0.0.1:{front['8080']}/restate/health"), "Restate behind HAProxy", log=work / "restate.log")
        holds(key in (work / "restate.log").read_text(), f"the server says another public key than docs/scale-out.md: {key}")
        workers = [stack.enter_context(service([sdk / "python", "worker.py", f"worker-{port}", f"127.0.0.1:{port}", key], work, f"worker-{port}")) for port in (first, second)]
        register(front)
        deployments = json.loads(get(f"http://127.0.0.1:{admin}/deployments"))["deployments"]
        register(front)
        again = json.loads(get(f"http://127.0.0.1:{admin}/deployments"))["deployments"]
        holds(len(deployments) == 1 and [some["id"] for some in again] == [some["id"] for some in deployments], f"registering again changes something: {again}")

        def call(seconds):
            request = urllib.request.Request(f"http://127.0.0.1:{front['8080']}/FlowNode/exec", json.dumps(seconds).encode(), {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())

        with concurrent.futures.ThreadPoolExecutor(40) as threads:
            names = list(threads.map(call, [0.5] * 20))
            shares = sorted(names.count(f"worker-{port}") for port in (first, second))
            holds(shares[0] >= 5, f"20 calls at the same time were shared {shares} between two workers")
            under_way = [threads.submit(call, 3) for _ in range(10)]
            time.sleep(1)
            workers[0].kill()
            ended = {future.result() for future in under_way}
            holds(ended == {f"worker-{second}"}, f"calls under way when a worker died ended on {ended}")
        # Who does not sign is refused, and a worker that knows another key refuses Restate.
        unsigned = run(["curl", "--silent", "--http2-prior-knowledge", "--output", work / "said", "--write-out", "%{http_code}", f"http://127.0.0.1:{second}/discover"])
        holds(unsigned.stdout == "401", f"a worker answers who does not sign: {unsigned.stdout}")
        os.replace(work / "another.pem", work / "request-identity.pem")
        command = [sdk / "python", "worker.py", "stranger", f"127.0.0.1:{stranger}", public_key(work)]
        stack.enter_context(service(command, work, "stranger"))
        time.sleep(3)
        body = json.dumps({"uri": f"http://127.0.0.1:{stranger}"}).encode()
        refused = None
        with contextlib.suppress(AssertionError):
            try:
                get(f"http://127.0.0.1:{admin}/deployments", body)
            except urllib.error.HTTPError as error:
                refused = error.read().decode()
        holds(refused and "401" in refused, f"a worker that knows another key is registered: {refused}")
    return (
        f"registered by compose.yaml's own command, 20 calls shared {shares[0]} to {shares[1]}, 10 under way at the death of a worker ended on the other "
        "(2 refused: a call without signature, a worker with another key)"
    )


def register(front):
    """The command of the service `register`, with Docker's names changed."""
    [model] = documents((DEPLOY / "compose.yaml").read_text())
    one = model["services"]["register"]
    shell, flag, script = one["command"]
    for name, port in (("balancer:9070", front["9070"]), ("balancer:9080", front["9080"])):
        script = script.replace(name, f"127.0.0.1:{port}")
    environment = {"PATH": os.environ["PATH"], "WORKERS": one["environment"]["WORKERS"].replace("balancer:9080", f"127.0.0.1:{front['9080']}")}
    done = run([shell, flag, script.replace("$$", "$")], env=environment)
    holds(done.returncode == 0, f"the command of `register` fails: {(done.stdout + done.stderr)[-500:]}")
