"""The worker: reads requests, runs calls in threads, sends replies.

One thread at a time reads; it carries out what it has read itself, after it has let another thread
read on. So a call costs no change of threads, and there is always one that hears a cancellation.
Modules are loaded by the main thread: some may be imported there only.

A frame is a line of JSON; if it says `bytes`, so many follow, and a line end.
"""

import _thread
import os
import sys
import time

from . import prints, values

_start_thread = _thread.start_new_thread
_PID = os.getpid()
# The exit code when a tool closed our pipe; `process.rs` knows it.
PIPE_CLOSED = 70


class Wire:
    """Both pipes. What is sent is sent whole."""

    def __init__(self, requests, replies):
        self.requests = requests
        self.replies = replies
        self.sending = _thread.allocate_lock()

    def receive(self):
        """A request and its payload; none when there will be no more."""
        line = self.requests.readline()
        if not line.endswith(b"\n"):
            return None, None
        request = values.plain(line)
        length = request.get("bytes")
        if length is None:
            return request, b""
        payload = self.requests.read(length)
        if len(payload) != length:
            return None, None
        self.requests.read(1)
        return request, payload

    def send(self, header, payload=None):
        if payload is None:
            data = header + b"\n"
        elif len(payload) < 1 << 16:
            data = b'%s,"bytes":%d}\n%s\n' % (header[:-1], len(payload), payload)
        else:
            data = b'%s,"bytes":%d}\n' % (header[:-1], len(payload))
        if os.getpid() != _PID:
            # A tool forked, and the child came back from the call as if it were the parent.
            os._exit(0)
        with self.sending:
            self._write(data)
            if payload is not None and len(payload) >= 1 << 16:
                self._write(payload)
                self._write(b"\n")

    def _write(self, data):
        rest = memoryview(data)
        while rest:
            # In pieces: one `write` takes at most 2 GiB.
            try:
                rest = rest[os.write(self.replies, rest[: 1 << 24]) :]
            except BrokenPipeError:
                end(1)  # nobody reads any more
            except OSError:
                os._exit(PIPE_CLOSED)

    def send_log(self, number, data):
        self.send(b'{"log":null}' if number is None else b'{"log":%d}' % number, data)


def end(code):
    """Ends this process and whatever it started, unless that made itself a group of its own."""
    try:
        import _signal

        os.killpg(0, _signal.SIGKILL)
    finally:
        os._exit(code)


class Crew:
    """The threads that read and work."""

    def __init__(self, wire):
        self.wire = wire
        self.reading = _thread.allocate_lock()
        self.waiting = []
        self.calls = {}
        # The module that carries calls out, which looks back at this one.
        self.calling = None
        # What the main thread is asked to do.
        self.errands = []
        self.errand = _thread.allocate_lock()
        self.errand.acquire()

    def work(self):
        """Of every thread."""
        try:
            self._work()
        except BaseException as error:
            # Never a tool's: those are caught where it is called. Nobody may be reading any more.
            try:
                os.write(2, ("flowctl's worker failed: %s: %s\n" % (type(error).__name__, error)).encode())
            finally:
                os._exit(1)

    def _work(self):
        """Waits for its turn to read, reads, carries out."""
        while True:
            self.waiting.append(None)
            with self.reading:
                self.waiting.pop()
                request, payload = self.wire.receive()
                if request is not None and not self.waiting:
                    try:
                        _start_thread(self.work, ())
                    except RuntimeError:
                        pass  # no more threads: somebody comes back
            if request is None:
                end(0)
            operation = request.get("op")
            if operation == "call":
                if not self.calling.carry_out(self, request, payload):
                    return
            elif operation == "cancel":
                call = self.calls.get(request["id"])
                if call is not None:
                    # Not here: it may have to wait, and nobody would read.
                    _start_thread(call.cancel, ())
            elif operation == "forget":
                self.calling.forget_line(request["line"])
            elif operation == "describe":
                from . import describe

                answer = self.in_main(describe.describe, request["references"])
                self.wire.send(b'{"id":%d,"done":"output"}' % request["id"], values.encode(answer, []))
            elif operation == "stop":
                stop()

    def in_main(self, function, *args):
        """What a function gives when the main thread calls it."""
        done = _thread.allocate_lock()
        done.acquire()
        errand = [function, args, prints.current_call(), done, None, None]
        self.errands.append(errand)
        try:
            self.errand.release()
        except RuntimeError:
            pass  # the main thread has been called already, and looks at all there is
        done.acquire()
        if errand[5] is not None:
            raise errand[5]
        return errand[4]

    def serve_main(self):
        while True:
            self.errand.acquire()
            while self.errands:
                errand = self.errands.pop(0)
                token = prints.current.set(errand[2])
                try:
                    errand[4] = errand[0](*errand[1])
                except BaseException as error:
                    errand[5] = error
                prints.current.reset(token)
                errand[3].release()
            prints.nobody.flush()


def stop():
    """An orderly end: what was registered with `atexit` runs, for a second at most."""

    def give_up():
        time.sleep(1)
        end(0)

    _start_thread(give_up, ())
    try:
        import atexit

        atexit._run_exitfuncs()
        prints.nobody.flush()
    finally:
        end(0)


def _forked():
    """The child of a fork has no business with our pipes."""
    for fd in (_wire.requests.fileno(), _wire.replies):
        try:
            os.close(fd)
        except OSError:
            pass


_wire = None


def main(requests, replies):
    global _wire
    import _signal
    import faulthandler

    _wire = wire = Wire(requests, replies)
    hello, _ = wire.receive()
    if hello is None:
        os._exit(0)
    faulthandler.enable(2)
    # A tool that sends itself SIGINT interrupts nobody here; children get the default back.
    _signal.signal(_signal.SIGINT, lambda *_: None)
    if hello.get("memory"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (hello["memory"], hello["memory"]))
    prints.install(wire.send_log)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)
    folder = hello["folder"]
    sys.argv = [""]
    # In the place of the `''` of `-c`.
    sys.path[0] = folder
    from . import shim

    shim.install(hello["promptflow"], folder)
    crew = Crew(wire)
    wire.send(
        values.encode(
            {
                "ready": "%d.%d.%d" % sys.version_info[:3],
                "executable": sys.executable,
                "worker": values.WORKER,
            },
            [],
        )
    )
    from . import calls

    calls.crew = crew
    crew.calling = calls
    _start_thread(crew.work, ())
    crew.serve_main()
