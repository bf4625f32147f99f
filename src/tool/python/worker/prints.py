"""`sys.stdout` and `sys.stderr`: they know which call prints, and send it to that call's log."""

import _thread
import contextvars
import io
import sys

current = contextvars.ContextVar("flowctl_call", default=None)

# A line that does not end is sent in pieces of this size.
LONGEST_LINE = 1 << 16

_send_log = None
_threads = {}


def install(send_log):
    global _send_log
    _send_log = send_log
    sys.stdout = Writer("<stdout>")
    sys.stderr = Writer("<stderr>")
    _inherit()


def current_call():
    call = current.get()
    if call is None:
        call = _threads.get(_thread.get_ident())
    return call


class Log:
    """What one call prints, in whole lines. `guard` is held while a line is on its way: no call is
    stopped in the middle of one."""

    def __init__(self, number):
        self.number = number
        self.guard = _thread.RLock()
        self.parts = []
        self.size = 0

    def write(self, data):
        with self.guard:
            end = data.rfind(b"\n") + 1
            if end:
                self.parts.append(data[:end])
                self.flush()
                data = data[end:]
            if data:
                self.parts.append(data)
                self.size += len(data)
                if self.size > LONGEST_LINE:
                    self.flush()

    def flush(self):
        with self.guard:
            if self.parts:
                data = b"".join(self.parts)
                self.parts.clear()
                self.size = 0
                _send_log(self.number, data)


# What is printed outside of any call.
nobody = Log(None)


def _log():
    call = current_call()
    return nobody if call is None else call.log


class Writer(io.TextIOBase):
    def __init__(self, name):
        self.name = name
        self.mode = "w"
        self.buffer = Bytes(name)

    @property
    def encoding(self):
        return "utf-8"

    @property
    def errors(self):
        return "backslashreplace"

    @property
    def line_buffering(self):
        return True

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        return 2

    def reconfigure(self, **_):
        pass

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        _log().write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self):
        pass

    def close(self):
        pass


class Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer`."""

    def __init__(self, name):
        self.name = name
        self.mode = "wb"
        self.raw = self

    def writable(self):
        return True

    def fileno(self):
        return 2

    def write(self, data):
        data = bytes(data)
        _log().write(data)
        return len(data)

    def flush(self):
        pass

    def close(self):
        pass


def _inherit():
    """Threads that a call starts print into its log. Every thread of Python begins here."""
    start = _thread.start_new_thread

    def start_new_thread(function, args, kwargs=None):
        call = current_call()
        if call is None:
            return start(function, args) if kwargs is None else start(function, args, kwargs)

        def run(*args, **kwargs):
            _threads[_thread.get_ident()] = call
            try:
                function(*args, **kwargs)
            finally:
                _threads.pop(_thread.get_ident(), None)

        return start(run, args) if kwargs is None else start(run, args, kwargs)

    _thread.start_new_thread = start_new_thread
    _thread.start_new = start_new_thread
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._start_new_thread = start_new_thread
    join = getattr(_thread, "start_joinable_thread", None)
    if join is None:
        return

    def start_joinable_thread(function, *args, **kwargs):
        call = current_call()
        if call is None:
            return join(function, *args, **kwargs)

        def run():
            _threads[_thread.get_ident()] = call
            try:
                function()
            finally:
                _threads.pop(_thread.get_ident(), None)

        return join(run, *args, **kwargs)

    _thread.start_joinable_thread = start_joinable_thread
    if threading is not None:
        threading._start_joinable_thread = start_joinable_thread
