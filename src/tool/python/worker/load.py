"""Finds the function that a reference means: in a file, in a module, or in an installed package."""

import collections
import os
import sys

from . import prints

# The name under which Prompt Flow runs a tool's file.
MODULE = "__pf_main__"


class LoadError(Exception):
    """Something that the author of the flow can mend; `code` is Prompt Flow's name for it."""

    def __init__(self, code, message, help=None):
        super().__init__(message)
        self.code = code
        self.help = help


class Tool:
    """A function, or a method with the class whose constructor it needs."""

    def __init__(self, function, owner, module, file):
        self.function = function
        self.owner = owner
        self.module = module
        self.file = file
        self.meta = {}
        self.instances = {}
        self.ports = None


_modules = {}
_tools = {}
# The last error while a tool was loaded.
failed = collections.deque(maxlen=1)


def tool_of(reference):
    """The tool of a reference, as it was loaded the first time."""
    key = repr(sorted(reference.items()))
    found = _tools.get(key)
    if found is None:
        from . import calls

        # Twice at the same time is once: the main thread looks again.
        found = calls.crew.in_main(_load, key, reference)
    return found


def load_in_main(reference):
    return _load(repr(sorted(reference.items())), reference)


def _load(key, reference):
    found = _tools.get(key)
    if found is None:
        kind = reference["kind"]
        try:
            if kind == "file":
                found = _from_file(reference)
            elif kind == "package":
                found = _from_package(reference["tool"])
            else:
                found = _from_module(reference["module"], reference.get("class"), reference.get("function"))
        except BaseException as error:
            failed.append(error)
            raise
        _tools[key] = found
    return found


def _from_file(reference):
    path = reference["path"]
    instance = (path, reference.get("instance"))
    module = _modules.get(instance)
    if module is None:
        module = _run_file(path)
        _modules[instance] = module
    name = reference.get("function")
    if name is not None:
        return _named(module, name, path)
    tools = list(_decorated(module))
    if len(tools) == 1:
        return Tool(tools[0][0], tools[0][1], module, path)
    if tools:
        names = ", ".join("`%s`" % function.__name__ for function, _ in tools)
        raise LoadError(
            "MultipleToolsDefined",
            "it defines %d tools: %s" % (len(tools), names),
            "keep one `@tool` in the file, and move the others to files of their own",
        )
    plain = [name for name, value in vars(module).items() if _defined_here(value, module)]
    raise LoadError(
        "NoToolDefined",
        "it defines no tool" + (", but the functions %s" % ", ".join("`%s`" % name for name in plain) if plain else ""),
        "put `@tool` above the function that the node runs (`from promptflow.core import tool`)",
    )


def _run_file(path):
    from importlib.machinery import SourceFileLoader

    if not os.path.isfile(path):
        raise LoadError("InvalidSource", "there is no such file")
    # As a file that is imported, so that its bytecode is kept.
    loader = SourceFileLoader(MODULE, path)
    module = type(sys)(MODULE)
    module.__file__ = path
    module.__loader__ = loader
    module.__spec__ = type(os.__spec__)(MODULE, loader, origin=path)
    module.__spec__.has_location = True
    # `dataclasses`, `pickle` and others look a module up by its name while it runs.
    sys.modules[MODULE] = module
    try:
        loader.exec_module(module)
    finally:
        prints.nobody.flush()
    return module


def _defined_here(value, module):
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _decorated(module):
    """Every `@tool` that is defined here, and not only imported: functions, then methods."""
    values = [value for _, value in sorted(vars(module).items(), key=lambda item: item[0])]
    seen = set()
    for value in values:
        if _is_tool(value) and _defined_here(value, module) and id(value) not in seen:
            seen.add(id(value))
            yield value, None
    for value in values:
        if isinstance(value, type) and _defined_here(value, module) and _is_provider(value) and id(value) not in seen:
            seen.add(id(value))
            for name in sorted(dir(value)):
                if _is_tool(getattr(value, name, None)):
                    yield getattr(value, name), value


def _is_tool(value):
    return hasattr(value, "__code__") and hasattr(value, "__tool")


def _is_provider(value):
    return any(kind.__name__ == "ToolProvider" for kind in value.__mro__)


def _named(module, name, path):
    """A function by its name: `function`, `Class.method`, or the name of a kernel function."""
    owner, value = None, module
    parts = name.split(".")
    for part in parts:
        owner, value = value, getattr(value, part, None)
        if value is None:
            break
    if callable(value):
        is_method = isinstance(owner, type) and not isinstance(vars(owner).get(parts[-1]), (staticmethod, classmethod))
        return Tool(value, owner if is_method else None, module, path)
    kernel = [
        (function, owner)
        for function, owner in _kernel_functions(module)
        if name in (function.__name__, function.__kernel_function_name__)
    ]
    if len(kernel) == 1:
        return Tool(kernel[0][0], kernel[0][1], module, path)
    there = sorted(
        {name for name, value in vars(module).items() if _defined_here(value, module)}
        | {function.__kernel_function_name__ for function, _ in _kernel_functions(module)}
    )
    raise LoadError(
        "NoToolDefined" if not kernel else "MultipleToolsDefined",
        ("there is no function `%s`" if not kernel else "there are several functions `%s`") % name,
        "there is %s" % ", ".join("`%s`" % name for name in there) if there else None,
    )


def _kernel_functions(module):
    """What Semantic Kernel's decorator marked, in classes too."""
    for value in list(vars(module).values()):
        if not _defined_here(value, module):
            continue
        if _is_kernel(value):
            yield value, None
        if isinstance(value, type):
            for inner in list(vars(value).values()):
                if _is_kernel(inner):
                    yield inner, value


def _is_kernel(value):
    return getattr(value, "__kernel_function__", False) and isinstance(
        getattr(value, "__kernel_function_name__", None), str
    )


_packages = None


def package_tools():
    """The tools that installed packages announce: their metas by identifier."""
    global _packages
    if _packages is None:
        from importlib import metadata

        entries = metadata.entry_points()
        select = getattr(entries, "select", None)
        points = select(group="package_tools") if select else entries.get("package_tools", ())
        _packages = {}
        for point in points:
            try:
                _packages.update(point.load()())
            except Exception as error:
                print("flowctl: the tools of `%s` cannot be listed: %s: %s" % (point.value, type(error).__name__, error))
    return _packages


def _from_package(name):
    found = package_tools()
    meta = found.get(name)
    if meta is None:
        # Tools may be known by names that they had before.
        for other in found.values():
            if name in other.get("deprecated_tools", ()):
                meta = other
    if meta is None:
        import difflib

        near = difflib.get_close_matches(name, found, 1)
        raise LoadError(
            "PackageToolNotFoundError",
            "no installed package has a tool `%s`" % name,
            "did you mean `%s`?" % near[0]
            if near
            else "install the package that has it, for `promptflow.tools.…`: pip install promptflow-tools",
        )
    tool = _from_module(meta["module"], meta.get("class_name"), meta.get("function"))
    tool.meta = meta
    return tool


def _from_module(name, class_name, function):
    import importlib

    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise LoadError("FailedToImportModule", "there is no Python module `%s`" % name, "install the package that has it")
        raise
    owner = None
    if class_name:
        owner = getattr(module, class_name, None)
        if owner is None:
            raise LoadError("FailedToImportModule", "the module `%s` has no class `%s`" % (name, class_name))
    value = getattr(owner or module, function or "", None)
    if not callable(value):
        raise LoadError("FailedToImportModule", "`%s` has no function `%s`" % (name, function))
    return Tool(value, owner, module, getattr(module, "__file__", None))
