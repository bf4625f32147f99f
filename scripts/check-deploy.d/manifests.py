"""The manifests for Kubernetes, and whether pods may more than they need."""

import json, os, pathlib, shutil, tempfile

from tools import DEPLOY, KUBERNETES, REPO, RESTATE, NotRun, documents, holds, judged, last_line, python, run, said


def rendered(work, gpu):
    """What kubectl makes of the folder, with and without the second pool."""
    if not shutil.which("kubectl"):
        raise NotRun("kubectl is not installed")
    folder = work / f"kubernetes-{gpu}"
    shutil.copytree(DEPLOY / "kubernetes", folder, dirs_exist_ok=True)
    if gpu:
        file = folder / "kustomization.yaml"
        holds("components: []" in file.read_text(), "`components: []` is gone from kustomization.yaml: change it here, too")
        file.write_text(file.read_text().replace("components: []", "components: [gpu]"))
    done = run(["kubectl", "kustomize", folder])
    holds(done.returncode == 0, f"kubectl kustomize: {last_line(done.stderr)}")
    return done.stdout


def sources():
    """The manifests as they lie there; for what needs no kubectl."""
    files = [file for file in sorted((DEPLOY / "kubernetes").rglob("*.yaml")) if file.name != "kustomization.yaml"]
    return "\n---\n".join(file.read_text() for file in files)


def plain(resources):
    """As what Kubernetes itself knows: its own resources, and what is inside of the operator's."""
    for resource in resources:
        name = {"name": resource["metadata"]["name"]}
        spec = resource.get("spec", {})
        if resource["kind"] == "RestateDeployment":
            pod = spec["template"]
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {**name, "namespace": "flowctl", **pod["metadata"]}, "spec": pod["spec"]}
        elif resource["kind"] == "RestateCluster":
            compute = spec["compute"]
            container = {"name": "restate", **{key: compute[key] for key in ("image", "env", "resources") if key in compute}}
            pod = {key: compute[key] for key in ("affinity", "tolerations", "nodeSelector", "topologySpreadConstraints") if key in compute}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": name, "spec": {"containers": [container], **pod}}
            peers = [{"from": list(some)} for some in spec.get("security", {}).get("networkPeers", {}).values()]
            rules = {"podSelector": {}, "ingress": peers, "egress": spec.get("security", {}).get("networkEgressRules", [])}
            yield {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": name, "spec": rules}
        else:
            yield resource


def kubernetes(work):
    yield lambda: f"kubectl kustomize: {len(documents(rendered(work, False)))} resources, {len(documents(rendered(work, True)))} with the pool `gpu`{kustomize_refuses(work)}"
    text = sources()

    def schemas(text):
        file = work / "plain.json"
        problems = []
        for resource in plain(documents(text)):
            file.write_text(json.dumps(resource))
            done = run([python("kubernetes-validate") / "kubernetes-validate", "--strict", "-k", KUBERNETES, file])
            if done.returncode != 0 or "WARN" in done.stdout + done.stderr:
                problems.append(f"{resource['kind']} {resource['metadata']['name']}: {last_line(done.stdout + done.stderr)}")
        return "; ".join(problems)

    yield lambda: judged(f"Kubernetes {KUBERNETES}'s schemas", schemas, text, [
        ("accessModes:", "accesModes:"), ("readOnlyRootFilesystem:", "readonlyRootFilesystem:"), ("namespaceSelector:", "nameSpaceSelector:"),
        ("topologyKey: kubernetes.io/hostname\n            labelSelector", "topologykey: x\n            labelSelector"), ("maxUnavailable: 1", "maxUnavailable: [1]"),
    ])

    def operator(text):
        problems = []
        for resource in documents(text):
            if resource["apiVersion"].startswith("restate.dev/"):
                file = work / "custom.json"
                file.write_text(json.dumps(resource))
                problems.append(said(run([python("check-jsonschema") / "check-jsonschema", "--schemafile", REPO / "tests" / "deploy" / "restate-operator.schema.json", file])))
        return "; ".join(filter(None, problems)) if problems else "there is no resource of the operator"

    yield lambda: judged("the operator's fields", operator, text, [
        ("autoProvision: true", "autoprovision: true"), ("replicas: 3\n", 'replicas: "3"\n'), ("register: { cluster: restate }", "register: { clusters: restate }"),
        ("storageRequestBytes:", "storageRequest:"), ("requestSigningPrivateKey:", "requestIdentityKey:"),
    ])
    yield lambda: real_crds(text)
    yield lambda: judged("names in kubernetes/", kubernetes_names, text, [
        ("name: flowctl-worker\n  namespace: flowctl\nspec:\n  replicas", "name: flowctl-worker\n  namespace: flowctrl\nspec:\n  replicas"),
        ("claimName: workspace", "claimName: workspaces"), ('allow.restate.dev/restate: "true" #', 'allow.restate.dev/restat: "true" #'),
        ("restatedev/restate:1.7.12", "restatedev/restate:latest"), ("configMapRef: { name: flowctl }", "configMapRef: { name: flow }"),
    ])


def kustomize_refuses(work):
    folder = work / "kubernetes-broken"
    shutil.copytree(DEPLOY / "kubernetes", folder)
    file = folder / "kustomization.yaml"
    file.write_text(file.read_text().replace("- worker.yaml", "- workers.yaml"))
    holds(run(["kubectl", "kustomize", folder]).returncode != 0, "kubectl finds nothing wrong with a file that is not there")
    return " (1 broken copy refused)"


def real_crds(text):
    """The operator's own CRDs, when somebody has them; no registry reached from here has them, and they are not ours to copy."""
    given = os.environ.get("FLOWCTL_RESTATE_CRDS")
    if not given:
        raise NotRun("the operator's own CRDs: set FLOWCTL_RESTATE_CRDS to a file that has them")
    schemas = {}
    for crd in documents(pathlib.Path(given).read_text()):
        if crd.get("kind") == "CustomResourceDefinition":
            for version in crd["spec"]["versions"]:
                schemas[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    program = """
import json, sys, jsonschema
def close(schema):  # the API server drops what a CRD does not know; here it is an error
    if isinstance(schema, dict):
        for key, inner in schema.items():
            if key != "default":
                close(inner)
        if "properties" in schema and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema["additionalProperties"] = False
        if schema.get("nullable") and isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
    elif isinstance(schema, list):
        for inner in schema:
            close(inner)
schema, resource = json.load(sys.stdin)
close(schema["properties"]["spec"])
for error in jsonschema.Draft7Validator({"properties": {"spec": schema["properties"]["spec"]}}).iter_errors(resource):
    print(f"{'.'.join(map(str, error.path))}: {error.message}"[:500])
"""

    def judge(text):
        problems = []
        for resource in documents(text):
            if resource["apiVersion"].startswith("restate.dev/"):
                schema = schemas.get((resource["apiVersion"], resource["kind"]))
                if not schema:
                    return f"{given} has no CRD for {resource['kind']} of {resource['apiVersion']}"
                done = run([python("jsonschema") / "python", "-c", program], input=json.dumps([schema, resource]))
                problems.append(done.stdout + said(done))
        return "; ".join(filter(None, problems))

    return judged("the operator's own CRDs", judge, text, [("autoProvision: true", "autoprovision: true"), ("drainDelaySeconds:", "drainDelay:")])


def kubernetes_names(text):
    resources = documents(text)
    there = {(resource["kind"], resource["metadata"].get("namespace"), resource["metadata"]["name"]) for resource in resources}
    # Made by hand, by docs/scale-out.md: a secret has no place in a repository.
    there |= {("Secret", namespace, "object-store") for namespace in ("flowctl", "restate")} | {("Secret", "restate", "request-identity")}
    namespaces = {name for kind, _, name in there if kind == "Namespace"}
    problems = []
    for resource in resources:
        kind, namespace, name = resource["kind"], resource["metadata"].get("namespace"), resource["metadata"]["name"]
        if namespace and namespace not in namespaces:
            problems.append(f"{kind} {name}: there is no namespace {namespace}")
        needs = []
        if kind == "RestateCluster":
            compute, security = resource["spec"]["compute"], resource["spec"]["security"]
            if not compute["image"].endswith(f":{RESTATE}"):
                problems.append(f"{compute['image']} is not the server that is tested, {RESTATE}")
            namespace = name
            needs += [("Namespace", None, name), ("Secret", name, security["requestSigningPrivateKey"]["secret"]["secretName"])]
            needs += [("Secret", name, entry["valueFrom"]["secretKeyRef"]["name"]) for entry in compute["env"]]
        if kind == "RestateDeployment":
            spec = resource["spec"]
            labels, pod = spec["template"]["metadata"]["labels"], spec["template"]["spec"]
            if any(labels.get(key) != value for key, value in spec["selector"]["matchLabels"].items()):
                problems.append(f"{name}: the selector does not select its pods")
            if labels.get(f"allow.restate.dev/{spec['restate']['register']['cluster']}") != "true":
                problems.append(f"{name}: the cluster that it registers with is not let through to it")
            needs += [("RestateCluster", None, spec["restate"]["register"]["cluster"]), ("ServiceAccount", namespace, pod["serviceAccountName"])]
            needs += [("PersistentVolumeClaim", namespace, volume["persistentVolumeClaim"]["claimName"]) for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
            for container in pod["containers"]:
                needs += [("ConfigMap", namespace, some["configMapRef"]["name"]) for some in container["envFrom"] if "configMapRef" in some]
                needs += [("Secret", namespace, some["secretRef"]["name"]) for some in container["envFrom"] if "secretRef" in some]
        problems += [f"{kind} {name}: there is no {what[0]} {what[2]} in {what[1]}" for what in needs if what not in there]
    return "; ".join(problems)


def posture(work):
    skipped = [
        "CKV_K8S_11",  # a limit of CPU makes a node slow, and nothing safe
        "CKV_K8S_43",  # an image by digest: the image is the reader's own
        "CKV_K8S_15",  # imagePullPolicy Always: tags are versions
        "CKV2_K8S_6",  # looks for a NetworkPolicy of this very pod; network-policy.yaml has one for all
        "CKV_K8S_35",  # credentials as files: the SDKs of clouds read the environment
        "CKV_DOCKER_7",
    ]

    def checkov(framework):
        def judge(text):
            folder = pathlib.Path(tempfile.mkdtemp(dir=work))
            if framework == "kubernetes":
                for number, resource in enumerate(plain(documents(text))):
                    if resource["kind"] == "Pod" and resource["metadata"].get("namespace") == "flowctl":  # the operator's own pods are the operator's
                        (folder / f"{number}.json").write_text(json.dumps(resource))
            else:
                (folder / "Dockerfile").write_text(text)
            environment = {**os.environ, "BC_SKIP_MAPPING": "TRUE", "LOG_LEVEL": "ERROR"}
            command = [python("checkov") / "checkov", "--directory", folder, "--framework", framework, "--skip-check", ",".join(skipped)]
            done = run([*command, "--quiet", "--compact", "--skip-download", "--output", "json"], env=environment)
            try:
                report = json.loads(done.stdout)
            except ValueError:
                raise NotRun(f"checkov gives no report: {last_line(done.stderr)}") from None
            if "results" not in report:
                return f"checkov looked at nothing: {done.stdout[:300]}"
            holds(report["summary"]["passed"] > 5, f"checkov looked at next to nothing: {report['summary']}")
            return "; ".join(f"{problem['check_id']} {problem['check_name']} ({problem['resource']})" for problem in report["results"]["failed_checks"])

        return judge

    yield lambda: judged("checkov over the pods", checkov("kubernetes"), sources(), [
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"), ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"), ("capabilities: { drop: [ALL] }", "privileged: true"),
    ])
    yield lambda: judged("checkov over the Containerfile", checkov("dockerfile"), (DEPLOY / "Containerfile").read_text(), [("USER 10001:10001\n", ""), ("COPY --from=build", "ADD --from=build")])
