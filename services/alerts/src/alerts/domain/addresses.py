"""Which network addresses a receiver may be at: none of our own network, unless its owner said so."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

# Public by the registry, and yet roads into somebody's inside: translation and tunnelling prefixes carry an IPv4 address within.
_TUNNELS = tuple(ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"))


def parse_literal(host: str) -> Address | None:
    """The address that `host` is; None when it is a name. Brackets and a zone are taken off."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def looks_like_disguised_address(host: str) -> bool:
    """Decimal, octal, hexadecimal and short forms (2130706433, 0x7f.1, 127.1), which resolvers read as addresses and people don't write."""
    parts = host.rstrip(".").split(".")
    return parse_literal(host) is None and all(_is_number(part) for part in parts)


def _is_number(part: str) -> bool:
    text = part.lower()
    return text.isdigit() or (text.startswith("0x") and all(c in "0123456789abcdef" for c in text[2:]))


def is_public(address: Address) -> bool:
    """Whether it is a unicast address of the public internet, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _TUNNELS):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
