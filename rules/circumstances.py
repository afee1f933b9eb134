"""Clock time, weekday and network of an arrival as conditions ask for them. No clock is read and no name looked up."""

import ipaddress
from collections.abc import Callable

from rules.subject import Reading
from rules.values import parse_weekday, parse_window, refusal


def time_within(text: str) -> Callable[[Reading], bool]:
    """The instance arrived within the window, such as `18:00-07:00`, in the site's time zone."""
    window = parse_window(text)
    return lambda reading: window.contains(reading.arrival.at)


def weekday_is(text: str) -> Callable[[Reading], bool]:
    """The instance arrived on the day, such as `mon` or `tuesday`, in the site's time zone."""
    number = parse_weekday(text)
    return lambda reading: reading.arrival.at.weekday() == number


def host_within(text: str) -> Callable[[Reading], bool]:
    """The source's address lies in the network, such as `10.1.0.0/16`."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise refusal(f"{text!r} is not a network such as 10.1.0.0/16") from None

    def holds(reading: Reading) -> bool:
        try:
            return ipaddress.ip_address(reading.arrival.host) in network
        except ValueError:  # the host is a name
            return False

    return holds
