"""The event loop of this process, on which every asynchronous call runs."""

import _thread
import time

from . import prints

_loop = None
_making = _thread.allocate_lock()


def _get():
    global _loop
    with _making:
        if _loop is None:
            import asyncio

            _loop = asyncio.new_event_loop()

            def serve():
                asyncio.set_event_loop(_loop)
                while True:
                    try:
                        _loop.run_forever()
                    except BaseException:  # never a reason to end: others run here
                        continue

            from . import main

            main._start_thread(serve, ())
    return _loop


def run(call, awaitable, finish):
    """Starts to await; `finish(call, error, value, started)` is called at the end."""
    import asyncio

    loop = _get()
    started = time.perf_counter()

    async def whole():
        prints.current.set(call)
        failed, result = None, None
        try:
            result = await _await(awaitable)
        except asyncio.CancelledError as error:
            failed = error
        except BaseException as error:
            failed = error
        finish(call, failed, result, started)

    def begin():
        with call.state:
            # From now on it is the task that is stopped.
            call.thread = None
            call.task = loop.create_task(whole())

    loop.call_soon_threadsafe(begin)


async def _await(value):
    from . import calls

    while hasattr(type(value), "__await__"):
        value = await value
    if hasattr(type(value), "__anext__"):
        return "".join([str(part) async for part in value])
    if hasattr(type(value), "__next__") and hasattr(value, "send"):
        return calls.joined(value)
    return value
