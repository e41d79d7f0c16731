"""Which addresses are outside: a fetch that others may steer must not read our own network."""

import ipaddress
import socket
from typing import Any

from aiohttp.connector import AddrInfoType

from replyline.errors import ReplylineError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public by number, and answered inside a cloud all the same: Azure's and Oracle's services for a machine about itself.
ONLY_INSIDE = {ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("192.0.0.192")}
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 in the last 32 bits


class NotOutside(OSError, ReplylineError):
    """An address inside our own network, which is not connected to."""


def outside_socket(found: AddrInfoType) -> socket.socket:
    """A socket for an address that is about to be connected to. Raises `NotOutside`.

    The very address is looked at, not the name: a name may lead elsewhere when it is asked a second time.
    """
    family, kind, protocol, _, where = found
    if not is_outside(str(where[0])):
        raise NotOutside("The address is inside our own network.")
    return socket.socket(family, kind, protocol)


def is_outside(address: str) -> bool:
    """Whether everybody on the Internet reaches this address, so that reading it tells nothing about us."""
    return all(is_public(each) for each in with_what_it_carries(ipaddress.ip_address(address)))


def is_public(address: Address) -> bool:
    # Each word is there because some version of Python, or the law of numbers, does not see it in `is_global`.
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not getattr(address, "is_site_local", False)
        and address not in ONLY_INSIDE
    )


def with_what_it_carries(address: Address) -> list[Address]:
    """The address; for IPv6 that stands for IPv4, the address a gateway would turn it into as well."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]  # Python before 3.13 judges the six, which says nothing
    carried: list[Any] = [address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if int(address) >> 32 == 0:  # the long abandoned "compatible" form, ::127.0.0.1
        carried.append(ipaddress.IPv4Address(int(address)))
    return [address, *(each for each in carried if each is not None)]
