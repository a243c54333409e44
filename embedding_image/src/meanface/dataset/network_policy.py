"""Network addresses that photos may be read from: public ones, and those allowed besides. Pure.

A user who names a dataset, or a photo in a list, makes this machine request it. This machine may reach
addresses that the user may not: the cloud's metadata, a service on loopback, everything behind the
firewall.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import ClassVar, NamedTuple, Self, TypeAlias
from urllib.parse import urlsplit

from meanface.errors import SettingsError

Address: TypeAlias = IPv4Address | IPv6Address

VARIABLE = "MEANFACE_PRIVATE_ADDRESSES"
UNICAST_6 = IPv6Network("2000::/3")
"""all of IPv6 that is assigned to networks"""
NAT64 = IPv6Network("64:ff9b::/96")
COMPATIBLE = IPv6Network("::/96")
"""IPv4-compatible IPv6 addresses, deprecated"""

# IANA's registries of special addresses; `ipaddress` has all of them in some versions of Python
# only.
_PRIVATE_4 = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16"
_MORE_4 = "198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4"
_AZURE = "168.63.129.16/32"  # public by its number, but the machine's own cloud answers
PRIVATE_4 = tuple(map(IPv4Network, f"{_PRIVATE_4} {_MORE_4} {_AZURE}".split()))
PRIVATE_6 = tuple(map(IPv6Network, ["2001::/23", "2001:db8::/32", "3fff::/20"]))
_NETWORK = re.compile(
    r"\[(?P<six>[^]]+)\](:(?P<port_six>[0-9]{1,5}))?|(?P<four>[0-9./]+)(:(?P<port_four>[0-9]{1,5}))?|(?P<bare>.+)"
)


class Allowed(NamedTuple):
    """A network that is allowed."""

    network: IPv4Network | IPv6Network
    port: int | None
    """None for every port"""

    @classmethod
    def of(cls, word: str) -> Self:
        """Parse a network, with a port or without, such as 10.0.0.5:9000; raises `ValueError`."""
        parts = _NETWORK.fullmatch(word)
        if parts is None:
            raise ValueError(f"{word!r} is not a network")
        port = parts["port_six"] or parts["port_four"]
        if port and not 0 < int(port) < 1 << 16:
            raise ValueError(f"{word!r} has a port beyond 65535, or 0")
        return cls(ip_network(parts["six"] or parts["four"] or parts["bare"]), int(port) if port else None)


@dataclass(frozen=True)
class NetworkPolicy:
    """The addresses that a connection may be made to.

    >>> policy = NetworkPolicy.of("10.1.0.0/16, 10.2.0.5:9000")
    >>> policy.refusal("cdn.example", "93.184.215.14", 443), policy.refusal("nas", "10.1.2.3", 80)
    ('', '')
    >>> policy.refusal("cdn.example", "169.254.169.254", 80)
    'cdn.example has a link-local address, which MEANFACE_PRIVATE_ADDRESSES does not allow'
    >>> policy.refusal("minio", "10.2.0.5", 22)
    'minio has a private address, which MEANFACE_PRIVATE_ADDRESSES does not allow with port 22'
    """

    allowed: tuple[Allowed, ...] = ()
    """networks besides public addresses"""
    everywhere: bool = False
    """allow every address"""
    dataset: bool = False
    """trust the dataset's own address, wherever it leads"""
    named: str = ""
    """a host that is allowed by its name, in lower case"""

    WORDS: ClassVar = ("refuse", "dataset", "allow")

    @classmethod
    def of(cls, text: str) -> NetworkPolicy:
        """Parse `refuse`, `dataset`, `allow` and networks, separated by commas.

        Raises `SettingsError` for anything else.
        """
        words = re.split(r"[,\s]+", text.strip()) if text.strip() else []
        try:
            allowed = tuple(Allowed.of(word) for word in words if word not in cls.WORDS)
        except ValueError as wrong:
            expected = "expected refuse, dataset, allow, or networks such as 10.1.0.0/16 or 10.0.0.5:9000"
            raise SettingsError(f"{VARIABLE}: {expected}: {wrong}") from None
        return cls(allowed, everywhere="allow" in words, dataset="dataset" in words)

    def for_dataset(self, address: str) -> NetworkPolicy:
        """The policy for the dataset itself: a trusted one's host is allowed, wherever it is."""
        return replace(self, named=_host(address)) if self.dataset else self

    def for_photos(self, dataset: str) -> NetworkPolicy:
        """The policy for a list's photos: a trusted list's host, if no DNS decides on it."""
        host = _host(dataset)
        fixed = host == "localhost" or _is_number(host)
        return replace(self, named=host) if self.dataset and fixed else self

    @property
    def unchecked(self) -> bool:
        """Whether a dataset may be read by libraries whose connections are not checked."""
        return self.everywhere or self.dataset

    def refusal(self, host: str, address: str, port: int) -> str:
        """Why a host's address may not be connected to; empty if it may."""
        kind = "" if self.everywhere or host.lower().strip("[]") == self.named else kind_of(address)
        ports = self._ports(address) if kind else set()
        if not kind or not ports.isdisjoint({None, port}):
            return ""
        return f"{host} has a {kind} address, which {VARIABLE} does not allow" + (f" with port {port}" if ports else "")

    def _ports(self, address: str) -> set[int | None]:
        """The ports that are allowed at an address; None for every port."""
        found = _unmapped(address)
        return {port for network, port in self.allowed if network.version == found.version and found in network}


PUBLIC = NetworkPolicy()
"""public addresses only"""


def kind_of(address: str) -> str:
    """The kind of an address that is not public, such as `loopback`; empty for a public one."""
    found = _unmapped(address)
    if found.is_unspecified:
        return "unspecified"
    if found.is_loopback:
        return "loopback"
    if found.is_link_local:
        return "link-local"
    if found.is_multicast:
        return "multicast"
    if isinstance(found, IPv4Address):
        return "private" if any(found in network for network in PRIVATE_4) else ""
    return "private" if found not in UNICAST_6 or any(found in network for network in PRIVATE_6) else ""


def _unmapped(address: str) -> Address:
    """The address, or the IPv4 address that an IPv6 one stands for."""
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return found
    if found in NAT64 or (found in COMPATIBLE and int(found) > 1):
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
