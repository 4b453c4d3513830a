"""From a host name to one address that may be connected to. What was checked is what is connected to: the name is not asked twice."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from alerts.domain.addresses import Address, is_public, looks_like_disguised_address, parse_literal

Resolve = Callable[[str, int], Awaitable[list[str]]]


class AddressRefused(Exception):
    """The receiver is at an address that is not on the public internet, or looks like it tries to hide that."""


class NameUnknown(Exception):
    """The name has no address just now."""


async def system_resolver(host: str, port: int) -> list[str]:
    """All addresses of a name, as the machine resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def checked_address(host: str, port: int, resolve: Resolve, *, allow_private: bool) -> Address:
    """One address of `host`. A name with any address inside is refused altogether: it has no business there."""
    literal = parse_literal(host)
    if literal is None and looks_like_disguised_address(host) and not allow_private:
        raise AddressRefused
    addresses = [literal] if literal is not None else await _resolved(host, port, resolve)
    if not allow_private and not all(is_public(address) for address in addresses):
        raise AddressRefused
    # IPv4 first: many hosts have no IPv6 route, and there is one try.
    return min(addresses, key=lambda address: address.version)


async def _resolved(host: str, port: int, resolve: Resolve) -> list[Address]:
    try:
        texts = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise NameUnknown from error
    found = [address for text in texts if (address := parse_literal(text)) is not None]
    if not found:
        raise NameUnknown
    return found
