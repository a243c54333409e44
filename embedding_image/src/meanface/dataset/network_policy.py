"""Which addresses of the network photos may be read from, pure: public ones, and what the deployment allows besides.

Who names a dataset, or a photo in a list, has this machine ask for it, and this machine may reach what he may not: the
cloud's metadata, a service that listens on loopback, everything behind the firewall.
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
"""all of IPv6 that is given out to networks"""
NAT64 = IPv6Network("64:ff9b::/96")
COMPATIBLE = IPv6Network("::/96")
"""IPv4 in IPv6 as it was once written"""

# IANA's registries of special addresses, as `ipaddress` has them in some versions of Python only.
_PRIVATE_4 = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16"
_MORE_4 = "198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4"
_AZURE = "168.63.129.16/32"  # public by its number, but answered by the machine's own cloud
PRIVATE_4 = tuple(map(IPv4Network, f"{_PRIVATE_4} {_MORE_4} {_AZURE}".split()))
PRIVATE_6 = tuple(map(IPv6Network, ["2001::/23", "2001:db8::/32", "3fff::/20"]))


_NETWORK = re.compile(
    r"\[(?P<six>[^]]+)\](:(?P<port_six>[0-9]{1,5}))?|(?P<four>[0-9./]+)(:(?P<port_four>[0-9]{1,5}))?|(?P<bare>.+)"
)


class Allowed(NamedTuple):
    """A network that is allowed, and the port there; None for all of them."""

    network: IPv4Network | IPv6Network
    port: int | None

    @classmethod
    def of(cls, word: str) -> Self:
        """What a network, with a port or without, stands for.

        >>> Allowed.of("10.0.0.5:9000")
        Allowed(network=IPv4Network('10.0.0.5/32'), port=9000)
        >>> Allowed.of("[fd00:1::/32]:443").port, Allowed.of("fd00:1::/32").port
        (443, None)

        Raises
        ------
        ValueError
            for anything else
        """
        parts = _NETWORK.fullmatch(word)
        if parts is None:
            raise ValueError(f"{word!r} is no network")
        port = parts["port_six"] or parts["port_four"]
        if port and not 0 < int(port) < 1 << 16:
            raise ValueError(f"{word!r} has no port of TCP")
        return cls(ip_network(parts["six"] or parts["four"] or parts["bare"]), int(port) if port else None)


@dataclass(frozen=True)
class NetworkPolicy:
    """What may be reached.

    Parameters
    ----------
    allowed
        networks besides public addresses
    everywhere
        whether all are
    dataset
        whether the dataset's own address is trusted, wherever it leads
    named
        a host that is allowed by its name, in lower case

    Examples
    --------
    >>> policy = NetworkPolicy.of("10.1.0.0/16, 10.2.0.5:9000")
    >>> policy.refusal("cdn.example", "93.184.215.14", 443), policy.refusal("nas", "10.1.2.3", 80)
    ('', '')
    >>> policy.refusal("cdn.example", "169.254.169.254", 80)
    'cdn.example has a link-local address, which MEANFACE_PRIVATE_ADDRESSES does not allow'
    >>> policy.refusal("minio", "10.2.0.5", 22)
    'minio has a private address, which MEANFACE_PRIVATE_ADDRESSES does not allow with port 22'
    """

    allowed: tuple[Allowed, ...] = ()
    everywhere: bool = False
    dataset: bool = False
    named: str = ""

    WORDS: ClassVar = ("refuse", "dataset", "allow")

    @classmethod
    def of(cls, text: str) -> NetworkPolicy:
        """What `refuse`, `dataset`, `allow` and networks such as 10.0.0.0/8 or 10.0.0.5:9000 say, with commas between.

        Raises
        ------
        SettingsError
            for anything else
        """
        words = re.split(r"[,\s]+", text.strip()) if text.strip() else []
        try:
            allowed = tuple(Allowed.of(word) for word in words if word not in cls.WORDS)
        except ValueError as wrong:
            expected = "expected refuse, dataset, allow, or networks such as 10.1.0.0/16 or 10.0.0.5:9000"
            raise SettingsError(f"{VARIABLE}: {expected}: {wrong}") from None
        return cls(allowed, everywhere="allow" in words, dataset="dataset" in words)

    def to_dataset(self, address: str) -> NetworkPolicy:
        """For the dataset itself: where it is trusted, its host may be anywhere. A redirect leads to another host."""
        return replace(self, named=_host(address)) if self.dataset else self

    def to_photos(self, dataset: str) -> NetworkPolicy:
        """For the photos of a list: of a trusted one, its host, where nobody else decides what the name stands for."""
        host = _host(dataset)
        own = host == "localhost" or _is_number(host)
        return replace(self, named=host) if self.dataset and own else self

    @property
    def unchecked(self) -> bool:
        """Whether a dataset may be read by programs that connect on their own."""
        return self.everywhere or self.dataset

    def refusal(self, host: str, address: str, port: int) -> str:
        """Why an address, which a host has, may not be connected to; empty where it may."""
        kind = "" if self.everywhere or host.lower().strip("[]") == self.named else kind_of(address)
        ports = self._ports(address) if kind else set()
        if not kind or not ports.isdisjoint({None, port}):
            return ""
        return f"{host} has a {kind} address, which {VARIABLE} does not allow" + (f" with port {port}" if ports else "")

    def _ports(self, address: str) -> set[int | None]:
        """That are allowed there; None for all."""
        found = _meant(address)
        return {port for network, port in self.allowed if network.version == found.version and found in network}


PUBLIC = NetworkPolicy()
"""public addresses only"""


def kind_of(address: str) -> str:
    """What kind of address it is, of those that are not public; empty for a public one.

    >>> kind_of("127.0.0.1"), kind_of("::ffff:127.0.0.1"), kind_of("fe80::1%eth0"), kind_of("64:ff9b::a00:1")
    ('loopback', 'loopback', 'link-local', 'private')
    >>> kind_of("2606:2800:21f::1"), kind_of("64:ff9b::5db8:d70e")
    ('', '')
    """
    found = _meant(address)
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


def _meant(address: str) -> Address:
    """The address; of an IPv6 one that stands for an IPv4 one, that."""
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
