"""The process that works on pixels: orders from standard input, answers to standard output, until there are no more.

What a codec does with a damaged or hostile picture ends here, and no role with it. Nothing it prints is kept: it may
tell what is in the data.
"""

import faulthandler
import logging
import os
import signal
import sys
import warnings
from typing import IO

from router.errors import RouterError
from router.pixels.image import MOST_BYTES
from router.pixels.order import LONGEST_SECONDS, Order, receive_order, send_answer
from router.pixels.rework import rework
from rules import RulesError


def main() -> None:
    """Work until standard input ends."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the role, which drains, and then ends this
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print where they like
    while (order := receive_order(sys.stdin.buffer)) is not None:
        faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True)  # also where nobody is left to end it
        _answer(answers, order)
        faulthandler.cancel_dump_traceback_later()


def _answer(stream: IO[bytes], order: Order) -> None:
    try:
        made = rework(_data_set(order), order.transfer_syntax_uid, order.work)
    except (RouterError, RulesError) as error:
        send_answer(stream, str(error), b"")
    except OSError:
        send_answer(stream, "the file cannot be read", b"")
    except MemoryError:
        send_answer(stream, "there is not enough memory for the picture", b"")
    else:
        send_answer(stream, None, made)


def _data_set(order: Order) -> bytes:
    if order.size > MOST_BYTES:
        raise RouterError(f"the data set is more than the {MOST_BYTES >> 20} MB that are taken into memory")
    with order.path.open("rb") as file:
        file.seek(order.start)
        return order.prefix + file.read(order.end - order.start)


if __name__ == "__main__":
    main()
