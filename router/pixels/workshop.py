"""Has pixels worked on in a process of its own, started when it is first needed. It touches no pixel itself."""

import subprocess
import sys
import threading
from contextlib import suppress

from router.errors import PixelsError
from router.pixels.order import LONGEST_SECONDS, Order, receive_answer, send_order


class Workshop:
    """One process for all lines of a role: one order after the other. Any thread may call its methods."""

    def __init__(self, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._longest_seconds = longest_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def work(self, order: Order) -> bytes:
        """The data set that was asked for. PixelsError where there is none, whatever happened to the process."""
        with self._lock:
            process = self._running()
            timer = threading.Timer(self._longest_seconds, process.kill)
            timer.start()
            try:
                answer = self._asked(process, order)
            finally:
                timer.cancel()
            if answer is None:
                self._end()
                raise PixelsError("the pixels could not be worked on: what decodes them broke down or did not end")
        problem, made = answer
        if problem is not None:
            raise PixelsError(problem)
        return made

    def close(self) -> None:
        """End the process; the next order starts another."""
        with self._lock:
            self._end()

    @staticmethod
    def _asked(process: "subprocess.Popen[bytes]", order: Order) -> tuple[str | None, bytes] | None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            send_order(process.stdin, order)
            return receive_answer(process.stdout)
        except OSError:
            return None

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "router.pixels"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()
