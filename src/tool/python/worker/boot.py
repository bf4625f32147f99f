# Given to `python -c`: reads the worker's modules from the pipe and starts it.
# This file alone is also read by interpreters that are too old, Python 2 included.
import os
import sys

if sys.version_info < (3, 9):
    os.write(1, ('{"too_old": "%d.%d.%d"}\n' % sys.version_info[:3]).encode())
    os._exit(0)


def boot():
    import builtins
    import fcntl

    def away(fd):
        # High, so that a tool that closes the first descriptors does not hit ours by accident.
        for lowest in (500, 100, 3):
            try:
                return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
            except OSError:
                continue
        raise OSError("no descriptor is free")

    requests = open(away(0), "rb", buffering=1 << 16)
    replies = away(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sources = {}
    for _ in range(int(requests.readline())):
        name, length = requests.readline().split()
        sources[name.decode()] = requests.read(int(length))

    class Finder:
        """Imports the worker's modules from memory."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            if name not in sources:
                return None
            spec = type(sys.__spec__ or __spec_type__)(name, Finder, origin="<" + name + ">")
            if name == "flowctl_worker":
                spec.submodule_search_locations = []
            return spec

        @staticmethod
        def create_module(spec):
            return None

        @staticmethod
        def exec_module(module):
            name = module.__name__
            # Builtins of its own: a tool may replace the others.
            module.__dict__["__builtins__"] = dict(vars(builtins))
            exec(compile(sources[name], "<" + name + ">", "exec", dont_inherit=True), module.__dict__)

        @staticmethod
        def get_source(name):
            return sources[name].decode()

    __spec_type__ = type(os.__spec__)
    sys.meta_path.insert(0, Finder)
    from flowctl_worker import main

    main.main(requests, replies)


boot()
