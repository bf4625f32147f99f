"""Answers `import promptflow…` without Prompt Flow, whose own import takes seconds.

Only names that tools commonly import are here. For any other name the installed Prompt Flow takes
over, for good, if there is one; both work side by side, since tools and connections are known by
what they are called.
"""

import sys

MODULES = {
    "promptflow": "",
    "promptflow.core": "",
    "promptflow.core._connection": "",
    "promptflow.connections": "",
    "promptflow.entities": "",
    "promptflow.contracts": "",
    "promptflow.contracts.multimedia": "",
    "promptflow.contracts.types": "",
    "promptflow.exceptions": "",
    "promptflow.tracing": "",
    "promptflow._core": "",
    "promptflow._core.tool": "",
    "promptflow._core.metric_logger": "",
    "promptflow._internal": "",
}

_mode = "auto"
_folder = None
_installed = None


def install(mode, folder):
    """`auto`, `shim` or `installed`."""
    global _mode, _folder
    _mode = mode
    _folder = folder
    if mode != "installed":
        sys.meta_path.insert(0, Finder)


def is_installed():
    global _installed
    if _installed is None:
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec("promptflow")
        _installed = spec is not None and spec.origin is not None
    return _installed


def _may_switch():
    return _mode == "auto" and is_installed()


def switch():
    """From here on `promptflow` is the installed one."""
    if Finder in sys.meta_path:
        sys.meta_path.remove(Finder)
        for name in [name for name in sys.modules if name == "promptflow" or name.startswith("promptflow.")]:
            if isinstance(sys.modules[name], Module):
                del sys.modules[name]


def uses_installed():
    return Finder not in sys.meta_path


def _refusal(name):
    if name.startswith("promptflow.tools"):
        package = "promptflow-tools"
    else:
        package = "promptflow"
    if _mode == "shim" and is_installed():
        return "flowctl has no `%s` of its own, and was told not to use the installed Prompt Flow" % name
    return "flowctl has no `%s` of its own; install it where this Python finds it: %s -m pip install %s" % (
        name,
        sys.executable,
        package,
    )


class Module(type(sys)):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError("module `%s` has no attribute `%s`" % (self.__name__, name))
        whole = self.__name__ + "." + name
        import importlib

        if whole == "promptflow.tracing.ThreadPoolExecutorWithContext":
            from . import promptflow

            self.ThreadPoolExecutorWithContext = promptflow.thread_pool()
            return self.ThreadPoolExecutorWithContext

        if whole in MODULES and not uses_installed():
            return importlib.import_module(whole)
        if _may_switch():
            switch()
            real = importlib.import_module(self.__name__)
            try:
                return getattr(real, name)
            except AttributeError:
                return importlib.import_module(whole)
        raise ImportError(_refusal(whole), name=whole)


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if not name.startswith("promptflow") or name.partition(".")[0] != "promptflow":
            return None
        if name not in MODULES:
            if _may_switch():
                switch()
                # Its parents are in the path of this import already, and are ours.
                import importlib

                parent = importlib.import_module(name.rpartition(".")[0])
                from importlib.machinery import PathFinder

                return PathFinder.find_spec(name, parent.__path__)
            raise ModuleNotFoundError(_refusal(name), name=name)
        spec = type(sys.__spec__)(name, Finder, origin="flowctl")
        spec.submodule_search_locations = []
        return spec

    @staticmethod
    def create_module(spec):
        return Module(spec.name)

    @staticmethod
    def exec_module(module):
        from . import promptflow

        vars(module).update(promptflow.names_of(module.__name__))


def make_connection(connection, classes):
    """An object of the class that the tool asks for, with the attributes of Prompt Flow's."""
    if uses_installed():
        import promptflow.connections as known
    else:
        from . import connections as known
    return _make(connection, classes, known)


def _make(connection, classes, known):
    name = connection["type"]
    configs, secrets = dict(connection.get("configs") or {}), dict(connection.get("secrets") or {})
    strong = [one for one in classes if any(base.__name__ == "CustomStrongTypeConnection" for base in one.__mro__)]
    wanted = configs.get("promptflow.connection.custom_type") or connection.get("custom_type")
    if name in ("CustomConnection", "CustomStrongTypeConnection") and strong:
        chosen = [one for one in strong if one.__name__ == wanted] or strong
        if not any(one.__name__ == "CustomConnection" for one in classes) or wanted:
            made = chosen[0](configs=configs, secrets=secrets, name=connection.get("name"))
            return made
    kind = getattr(known, name, None)
    if kind is None:
        matching = [one for one in classes if one.__name__ == name]
        if not matching:
            from . import load

            raise load.LoadError(
                "InvalidConnectionType",
                "the connection `%s` is a `%s`, and Prompt Flow has no such class" % (connection.get("name"), name),
            )
        kind = matching[0]
    if name == "CustomConnection":
        return kind(configs=configs, secrets=secrets, name=connection.get("name"))
    given = {key: value for key, value in {**configs, **secrets}.items() if value is not None}
    return kind(name=connection.get("name"), **given)
