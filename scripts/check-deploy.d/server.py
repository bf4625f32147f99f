"""Restate itself: its settings, one node, three nodes."""

import contextlib, json, os, re, shutil, signal, subprocess, time, tomllib, urllib.request

from manifests import sources
from tools import DEPLOY, REPO, RESTATE, answers, documents, free_ports, get, holds, judged, last_line, npm, python, restate_server, run, said, service


def flat(table, above=""):
    for key, value in table.items():
        yield from flat(value, f"{above}{key}.") if isinstance(value, dict) else [(above + key, value)]


def settings(work):
    server = restate_server()

    def judge(text):
        file = work / "restate.toml"
        file.write_text(text)
        done = run([server, "--config-file", file, "--dump-config"], env={"PATH": os.environ["PATH"]})
        if done.returncode != 0:
            return said(done)
        if "deprecated" in done.stdout + done.stderr:
            return last_line((done.stdout + done.stderr).split("deprecated")[0])
        # A name that the server does not know is passed over without a word; here it is an error.
        known = dict(flat(tomllib.loads(done.stdout[done.stdout.index("roles") :])))
        return "; ".join(f"the server knows no `{key}`" for key, _ in flat(tomllib.loads(text)) if key not in known)

    broken = [("default-replication", "default-replicas"), ("log-format = ", "log-format = 7 #"), ("max-attempts = ", "maximum-attempts = ")]
    yield lambda: judged("restate.toml", judge, (DEPLOY / "restate.toml").read_text(), broken)
    yield lambda: judged("restate-cluster.toml", judge, (DEPLOY / "restate-cluster.toml").read_text(), broken + [("snapshot-interval =", "snapshots-interval =")])

    def in_kubernetes():
        [cluster] = [resource for resource in documents(sources()) if resource["kind"] == "RestateCluster"]
        return judged("the settings of the RestateCluster", judge, cluster["spec"]["config"], broken)

    yield in_kubernetes
    yield lambda: judged("the settings in the environment of compose.yaml", in_environment, (DEPLOY / "compose.yaml").read_text(), [
        ("RESTATE_BASE_DIR", "RESTATE_BASE_FOLDER"), ("REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE", "REQUEST_IDENTITY_KEY"), ("AWS_ALLOW_HTTP", "AWS_ALLOW_PLAIN"),
    ])


def in_environment(text):
    [model] = documents(text)
    problems = []
    for name, container in model["services"].items():
        environment = {key: value for key, value in container.get("environment", {}).items() if key.startswith("RESTATE_")}
        if environment:
            done = run([restate_server(), "--config-file", DEPLOY / "restate-cluster.toml", "--dump-config"], env={"PATH": os.environ["PATH"], **environment})
            if done.returncode != 0:
                problems.append(f"{name}: {last_line(done.stderr)}")
                continue
            known = {key for key, _ in flat(tomllib.loads(done.stdout[done.stdout.index("roles") :]))}
            for key in environment:
                setting = key.removeprefix("RESTATE_").lower().replace("__", ".").replace("_", "-")
                # Credentials are not shown, and so looked for in what the program itself holds.
                if setting not in known and not ("secret" in setting or "access-key" in setting):
                    problems.append(f"{name}: the server knows no {key}")
    return "; ".join(problems)


def single(work):
    server = restate_server()
    yield lambda: one_node(server, work)


def one_node(server, work):
    fabric, ingress, admin = free_ports(3)
    moved = {
        "RESTATE_BIND_PORT": str(fabric), "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{fabric}/",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}", "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
    }
    key = work / "request-identity.pem"
    holds(run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key]).returncode == 0, "openssl makes no key")
    moved["RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE"] = str(key)
    command = [server, "--config-file", DEPLOY / "restate.toml", "--no-logo"]
    with service(command, work, "single", **moved) as process:
        log = work / "single.log"
        began = time.monotonic()
        answers(lambda: get(f"http://127.0.0.1:{ingress}/restate/health"), "restate-server", process=process, log=log)
        seconds = time.monotonic() - began
        version = json.loads(get(f"http://127.0.0.1:{admin}/version"))["version"]
        holds(version == RESTATE, f"it is {version}, not {RESTATE}")
        holds("publickeyv1_" in log.read_text(), "it does not say the public half of its key")
        listening = run(["ss", "-ltnpH"]).stdout if shutil.which("ss") else ""
        elsewhere = [line.split()[3] for line in listening.splitlines() if f"pid={process.pid}," in line and not line.split()[3].startswith("127.0.0.1:")]
        holds(not elsewhere, f"it listens beyond this machine: {elsewhere}")
        asked = re.findall(r'^ask "([^"]+)"', (REPO / "docs" / "scale-out.md").read_text(), re.M)
        holds(asked, "docs/scale-out.md asks nothing any more")
        for query in asked:
            body = json.dumps({"query": query}).encode()
            # Its tables come a moment after its health.
            answer = answers(lambda: json.loads(get(f"http://127.0.0.1:{admin}/query", body)), f"`{query}` of docs/scale-out.md", 15)
            holds("rows" in answer, f"`{query}` of docs/scale-out.md: {answer}")
        process.send_signal(signal.SIGTERM)
        holds(process.wait(90) == 0, f"it does not end well: {process.returncode}")
    broken = {**moved, "RESTATE_DEFAULT_REPLICATION": "many"}
    with service(command, work, "broken", **broken) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        holds(process.returncode not in (None, 0), "it starts with a replication of `many`")
    return f"restate-server {RESTATE} is healthy after {seconds:.1f} s, only on loopback, answers what docs/scale-out.md asks, and ends well (1 broken copy refused)"


def cluster(work):
    server = restate_server()
    ctl = npm("@restatedev/restatectl", "restatectl")
    moto = python("moto[s3,server]")
    yield lambda: three_nodes(server, ctl, moto, work)


def three_nodes(server, ctl, moto, work):
    [store] = free_ports(1)
    nodes = [(f"restate-{number}", *free_ports(3)) for number in (1, 2, 3)]
    addresses = [f"http://127.0.0.1:{fabric}/" for _, fabric, _, _ in nodes]

    def environment(name, fabric, ingress, admin):
        return {
            "RESTATE_NODE_NAME": name, "RESTATE_BASE_DIR": str(work / name), "RESTATE_BIND_IP": "127.0.0.1", "RESTATE_BIND_PORT": str(fabric),
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{fabric}/", "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}", "RESTATE_METADATA_CLIENT__ADDRESSES": json.dumps(addresses),
            "RESTATE_AUTO_PROVISION": str(name == "restate-1").lower(), "RESTATE_WORKER__SNAPSHOTS__AWS_ENDPOINT_URL": f"http://127.0.0.1:{store}",
            "RESTATE_WORKER__SNAPSHOTS__AWS_ALLOW_HTTP": "true", "RESTATE_WORKER__SNAPSHOTS__AWS_REGION": "us-east-1",
            "RESTATE_WORKER__SNAPSHOTS__AWS_ACCESS_KEY_ID": "key", "RESTATE_WORKER__SNAPSHOTS__AWS_SECRET_ACCESS_KEY": "secret",
        }

    command = [server, "--config-file", DEPLOY / "restate-cluster.toml", "--no-logo"]

    def restatectl(*arguments):
        done = run([ctl, "--address", ",".join(addresses[1:]), *arguments], env={"PATH": os.environ["PATH"], "HOME": str(work)})
        holds(done.returncode == 0, f"restatectl {' '.join(arguments)}: {last_line(done.stderr or done.stdout)}")
        return done.stdout

    with contextlib.ExitStack() as stack:
        stack.enter_context(service([moto / "moto_server", "--host", "127.0.0.1", "--port", store], work, "moto"))
        answers(lambda: get(f"http://127.0.0.1:{store}/moto-api/data.json"), "moto")
        put = urllib.request.Request(f"http://127.0.0.1:{store}/flowctl", method="PUT", headers={"authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"})
        urllib.request.urlopen(put, timeout=5).close()
        running = [stack.enter_context(service(command, work, node[0], **environment(*node))) for node in nodes]
        for (name, _, ingress, _), process in zip(nodes, running):
            answers(lambda: get(f"http://127.0.0.1:{ingress}/restate/health"), name, 90, process, work / f"{name}.log")

        def alive():
            listed = restatectl("status")
            up = [name for name, *_ in nodes if re.search(rf"{name}\s.*\bMember\b", listed)]
            holds(len(up) == 3, f"not all three are there:\n{listed}")

        answers(alive, "the cluster")

        partitions = tomllib.loads((DEPLOY / "restate-cluster.toml").read_text())["default-num-partitions"]

        def snapshots():
            restatectl("snapshots", "create-snapshot")
            with urllib.request.urlopen(f"http://127.0.0.1:{store}/flowctl?list-type=2&prefix=snapshots/", timeout=5) as answer:
                keys = re.findall(r"<Key>([^<]+)</Key>", answer.read().decode())
            saved = sum(key.endswith("latest.json") for key in keys)
            holds(saved == partitions, f"{saved} of {partitions} partitions have a snapshot in the store")
            return saved

        saved = answers(snapshots, "snapshots", 90)
        running[0].kill()
        running[0].wait()
        began = time.monotonic()

        def query():
            return json.loads(get(f"http://127.0.0.1:{nodes[1][3]}/query", b'{"query": "select count(*) as n from sys_invocation"}'))

        answers(query, "the cluster with one node killed", 60)
        seconds = time.monotonic() - began
    # A folder is no place for the snapshots of a cluster.
    alone = {
        **environment(*nodes[0]), "RESTATE_BASE_DIR": str(work / "alone"), "RESTATE_METADATA_CLIENT__ADDRESSES": json.dumps(addresses[:1]),
        "RESTATE_DEFAULT_REPLICATION": "1", "RESTATE_WORKER__SNAPSHOTS__DESTINATION": f"file://{work}/snapshots",
    }
    with service(command, work, "alone", **alone) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        log = (work / "alone.log").read_text()
        holds(process.returncode not in (None, 0) and "Unsupported protocol" in log, f"snapshots in a folder are not refused: {log[-500:]}")
    return f"three nodes alive, {saved} partitions with a snapshot in the store, queries answered {seconds:.1f} s after a kill (1 broken copy refused)"
