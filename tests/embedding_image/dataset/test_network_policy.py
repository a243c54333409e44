"""Which addresses may be reached."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy, kind_of
from meanface.errors import SettingsError

REFUSED = {
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "127.0.0.1": "loopback",
    "127.255.0.7": "loopback",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "::7f00:1": "loopback",
    "169.254.169.254": "link-local",
    "::ffff:a9fe:a9fe": "link-local",
    "64:ff9b::a9fe:a9fe": "link-local",
    "2002:a9fe:a9fe::1": "link-local",
    "fe80::1%lo": "link-local",
    "fd00:ec2::254": "private",
    "fec0::1": "private",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "192.168.1.1": "private",
    "100.100.100.200": "private",
    "192.0.0.192": "private",
    "198.18.0.1": "private",
    "168.63.129.16": "private",
    "240.0.0.1": "private",
    "255.255.255.255": "private",
    "64:ff9b:1::1": "private",
    "2001:db8::1": "private",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
}


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_an_address_that_is_not_public_is_refused_with_its_kind(address: str, kind: str) -> None:
    assert kind_of(address) == kind
    assert PUBLIC.refusal("photos.example", address, 443).startswith(f"photos.example has a {kind} address, which ")


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_reached(address: str) -> None:
    assert PUBLIC.refusal("photos.example", address, 443) == ""


@given(st.ip_addresses(v=4))
def test_an_address_keeps_its_kind_in_every_spelling(address: IPv4Address) -> None:
    number = f"{int(address):08x}"
    number = f"{number[:4]}:{number[4:]}"
    for spelling in (f"::ffff:{address}", f"64:ff9b::{number}", f"2002:{number}::"):
        assert kind_of(spelling) == kind_of(str(address)), spelling


@given(st.ip_addresses())
def test_only_global_unicast_is_public(address: object) -> None:
    found = ip_address(str(address))
    if kind_of(str(found)) == "":
        assert found.is_global
        assert not found.is_multicast


def test_networks_are_allowed_in_every_spelling() -> None:
    allowed = NetworkPolicy.of("10.1.0.0/16, fd00:1::/32")
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"):
        assert allowed.refusal("nas", address, 443) == ""
    for address in ("10.2.0.1", "127.0.0.1", "fd00:2::5"):
        assert allowed.refusal("nas", address, 443) != ""


def test_a_network_may_be_allowed_with_one_port() -> None:
    allowed = NetworkPolicy.of("10.0.0.5:9000, 10.1.0.0/16:8080, [fd00:1::5]:9000, [fd00:2::/32]:443, 10.0.0.5:9001")
    for address, port in (("10.0.0.5", 9000), ("10.0.0.5", 9001), ("::ffff:10.0.0.5", 9000), ("10.1.2.3", 8080),
                          ("fd00:1::5", 9000), ("fd00:2:0:1::1", 443)):  # fmt: skip
        assert allowed.refusal("nas", address, port) == ""
    for address, port in (("10.0.0.5", 22), ("10.0.0.6", 9000), ("10.1.2.3", 9000), ("fd00:1::5", 22)):
        assert allowed.refusal("nas", address, port) != ""
    assert allowed.refusal("nas", "10.0.0.5", 22).endswith("does not allow with port 22")
    assert allowed.refusal("nas", "10.0.0.6", 22).endswith("does not allow")
    assert NetworkPolicy.of("10.0.0.5:9000, 10.0.0.0/8").refusal("nas", "10.0.0.5", 22) == ""


def test_allow_and_refuse_are_words() -> None:
    assert NetworkPolicy.of("allow").refusal("x", "169.254.169.254", 443) == ""
    assert NetworkPolicy.of("refuse") == NetworkPolicy.of("") == PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "allow;refuse",
        "10.0.0.5:",
        "10.0.0.5:0",
        "10.0.0.5:65536",
        "nas:9000",
        "[10.0.0.5:9000",
        "[fd00::5]9000",
        "10.0.0.5:9000/8",
        "10.0.0.5:-1",
        "[]:1",
    ],
)
def test_other_values_are_refused_with_the_expected_ones(text: str) -> None:
    with pytest.raises(SettingsError, match="MEANFACE_PRIVATE_ADDRESSES: expected refuse, dataset, allow, or networks"):
        NetworkPolicy.of(text)


def test_a_trusted_dataset_may_have_any_address_but_not_its_photos() -> None:
    """Its name may lead to this machine when the list is read, and its owner decide it anew for the photos."""
    trusted = NetworkPolicy.of("dataset")
    address = "https://Photos.example/list.csv"
    assert trusted.for_dataset(address).refusal("photos.example", "10.0.0.1", 443) == ""
    assert trusted.for_dataset(address).refusal("other.example", "10.0.0.1", 443) != ""
    assert trusted.for_photos(address).refusal("photos.example", "10.0.0.1", 443) != ""
    assert PUBLIC.for_dataset(address).refusal("photos.example", "10.0.0.1", 443) != ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "192.168.1.7"])
def test_a_trusted_list_may_name_its_own_numeric_host(host: str) -> None:
    address = host.strip("[]") if host != "localhost" else "127.0.0.1"
    photos = NetworkPolicy.of("dataset").for_photos(f"http://{host}:8000/list.csv")
    assert photos.refusal(host, address, 443) == ""
    assert photos.refusal("elsewhere", address, 443) != ""
