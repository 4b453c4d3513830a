"""Addresses that a receiver may be at."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.addresses import is_public, looks_like_disguised_address, parse_literal

PRIVATE = [
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "0.0.0.0/8",
        "100.64.0.0/10",
    )
]


@given(st.ip_addresses(v=4))
def test_an_address_stays_what_it_is_when_it_is_wrapped(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    assert is_public(mapped) == is_public(address)
    assert not is_public(IPv6Address(b"\x20\x02" + address.packed + bytes(10)))
    assert not is_public(IPv6Address(ip_address("64:ff9b::").packed[:12] + address.packed))


@given(st.sampled_from(PRIVATE).flatmap(lambda network: st.ip_addresses(network=network)))
def test_no_private_address_is_public(address: IPv4Address) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["93.184.216.34", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are_let_through(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_every_number_that_means_an_address_is_seen_through(address: IPv4Address) -> None:
    number = int(address)
    for text in (str(number), hex(number), oct(number).replace("0o", "0")):
        assert looks_like_disguised_address(text)


@pytest.mark.parametrize(
    "host", ["hooks.example", "10.example", "a.b", "xn--bcher-kva.example", "127.0.0.1", "1e1.example"]
)
def test_names_and_plain_addresses_are_no_disguise(host: str) -> None:
    assert not looks_like_disguised_address(host)


def test_brackets_and_zones_are_taken_off() -> None:
    assert parse_literal("[fe80::1%eth0]") == ip_address("fe80::1")
    assert parse_literal("hooks.example") is None
