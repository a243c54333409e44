"""Addresses of the network that a dataset, and what it names, can and cannot reach: real sockets, and a name server of
the test's own."""

from __future__ import annotations

import gzip
import re

import pytest

from meanface.dataset import PhotoUnreadable, open_photos
from meanface.dataset.http import client, guarded
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.photos import AddressRefused
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef, Source
from meanface.errors import DatasetNotFound, SettingsError

LOOPBACK = NetworkPolicy.of("127.0.0.1/32")
REFUSED = "address, which MEANFACE_PRIVATE_ADDRESSES does not allow"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]",
     "LOCALHOST.", "127.0.0.1.", "①②⑦.⓪.⓪.①"],
)  # fmt: skip
def test_this_machine_is_not_reached_in_any_spelling(host, server, ask):
    server.files["/a.png"] = b"secret"
    with pytest.raises(PhotoUnreadable) as refused:
        ask(f"http://{host}:{server.server_port}/a.png")
    assert isinstance(refused.value, AddressRefused) or "not a valid address" in str(refused.value)
    assert not server.asked


@pytest.mark.parametrize("address", ["169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "100.100.100.200", "[fe80::1]"])
def test_metadata_and_private_networks_are_not_reached(address, ask, monkeypatch):
    monkeypatch.setattr(guarded, "_socket", None)  # a connection would be a TypeError
    for scheme in ("http", "https"):
        with pytest.raises(AddressRefused, match=REFUSED):
            ask(f"{scheme}://{address}/latest/meta-data/")


def test_an_allowed_network_is_reached(server, ask):
    server.files["/a.png"] = b"photo"
    assert ask(f"{server.url}/a.png", LOOPBACK) == b"photo"


def test_a_name_with_a_private_address_is_refused(server, ask, names):
    names["photos.example"] = ["127.0.0.1"]
    server.files["/a.png"] = b"secret"
    with pytest.raises(AddressRefused, match=rf"photos\.example has a loopback {REFUSED}"):
        ask(f"http://photos.example:{server.server_port}/a.png")
    assert not server.asked


def test_of_an_allowed_address_other_ports_are_not_reached(server, ask):
    server.files["/a.png"] = b"photo"
    assert ask(f"{server.url}/a.png", NetworkPolicy.of(f"127.0.0.1:{server.server_port}")) == b"photo"
    with pytest.raises(AddressRefused, match=f"{REFUSED} with port {server.server_port}"):
        ask(f"{server.url}/a.png", NetworkPolicy.of("127.0.0.1:22"))
    assert sum(server.asked.values()) == 1


def test_a_name_is_looked_up_once_and_that_answer_is_connected_to(server, ask, names):
    """DNS rebinding: the first answer may be reached, every later one may not."""
    names["photos.example"] = ["127.0.0.1", "127.0.0.66"]
    server.files["/a.png"] = b"photo"
    url = f"http://photos.example:{server.server_port}/a.png"
    assert ask(url, LOOPBACK) == b"photo"
    with pytest.raises(AddressRefused):
        ask(url, LOOPBACK)


def test_of_several_addresses_only_the_allowed_ones_are_tried(server, ask, names):
    names["photos.example"] = ["127.0.0.66 10.0.0.1 127.0.0.1"]
    server.files["/a.png"] = b"photo"
    assert ask(f"http://photos.example:{server.server_port}/a.png", LOOPBACK) == b"photo"


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost", "[::1]"])
def test_a_proxy_gets_no_request_for_numeric_private_addresses(host, server, ask, monkeypatch):
    """Names it looks up itself: what it may reach is its own business."""
    monkeypatch.setattr(client, "getproxies", lambda: {"http": server.url})
    monkeypatch.setattr(client, "proxy_bypass", lambda _: False)
    server.files["http://photos.example/a.png"] = b"photo"
    assert ask("http://photos.example/a.png") == b"photo"
    with pytest.raises(AddressRefused):
        ask(f"http://{host}/a.png")
    assert list(server.asked) == ["http://photos.example/a.png"]


def test_a_photo_of_a_list_is_refused_once_and_its_neighbour_is_not(server, listed, photo, tmp_path):
    server.files["/a.png"] = photo()
    inside = f"http://localhost:{server.server_port}/a.png"
    (tmp_path / "list.csv").write_text(f"url\n{server.url}/a.png\n{inside}\n")
    found = listed(tmp_path / "list.csv", network_policy=NetworkPolicy.of("dataset"))
    for name, host in ((f"{server.url}/a.png", "127.0.0.1"), (inside, "localhost")):
        with pytest.raises(PhotoUnreadable) as refused:
            found.read(name)
        assert str(refused.value) == f"{host} has a loopback {REFUSED}"
    assert not server.asked
    found = listed(tmp_path / "list.csv", network_policy=LOOPBACK)
    assert found.read(f"{server.url}/a.png") == photo()


@pytest.mark.parametrize("path", ["photos.tgz", "list.csv", "5976018"])
def test_a_forbidden_dataset_names_the_setting(path, server, listed):
    server.files[f"/{path}"] = b"x"
    with pytest.raises(SettingsError, match=f"'{server.url}/{path}' is out of reach: .*set MEANFACE_PRIVATE_ADDRESSES"):
        listed(f"{server.url}/{path}", network_policy=PUBLIC)
    assert not server.asked


def test_a_typed_dataset_is_reached_and_its_redirect_is_not(server, listed, tarred, photo):
    server.files |= {"/a.tar": tarred(("a.png", photo())), "/from.tar": b"x"}
    assert listed(f"{server.url}/a.tar", network_policy=NetworkPolicy.of("dataset")).read_all() == {"a.png": photo()}
    server.statuses["/from.tar"] = [302]
    server.headers["Location"] = f"http://localhost:{server.server_port}/a.tar"
    with pytest.raises(SettingsError, match="localhost has a loopback"):
        listed(f"{server.url}/from.tar", network_policy=NetworkPolicy.of("dataset"))


def test_a_redirect_in_the_middle_of_a_download_is_refused_too(server, listed, monkeypatch):
    monkeypatch.setattr("meanface.dataset.http.download.RANGE", 1000)
    server.files["/a.tgz"] = gzip.compress(bytes(range(256)) * 40, compresslevel=0)
    server.headers["Location"] = "http://10.0.0.1/a.tgz"
    server.statuses["/a.tgz"] = [200, 200, 302, 302, 302]
    with pytest.raises(SettingsError, match=r"10\.0\.0\.1 has a private"):
        listed(f"{server.url}/a.tgz", network_policy=LOOPBACK)
    server.headers["Location"] = "ftp://10.0.0.1/a.tgz"
    server.statuses["/a.tgz"] = [200, 200, 302, 302, 302]
    with pytest.raises(DatasetNotFound, match=r"/a\.tgz': redirected out of http\(s\)"):
        listed(f"{server.url}/a.tgz", network_policy=LOOPBACK)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/a/", "sftp://10.0.0.1/x.tgz", "webhdfs://10.0.0.1/*.tar"])
def test_file_systems_that_connect_on_their_own_are_refused(address, listed, storage):
    with pytest.raises(
        SettingsError, match="connects to any host, which only MEANFACE_PRIVATE_ADDRESSES=allow permits"
    ):
        listed(address, network_policy=LOOPBACK)
    for kind in ("folder", "shards"):
        with pytest.raises(SettingsError, match="connects to any host"):
            open_photos(Source(url="s3://photos", kind=kind, root=address), storage, LOOPBACK)


@pytest.mark.parametrize(
    "place",
    ["file://{file}", "local://{file}", "{file}", "simplecache::{url}", "filecache::file://{file}",
     "ftp://127.0.0.1/a", "github://a:b@c/x", "data:,x", ""],
)  # fmt: skip
def test_a_list_replaced_since_the_plan_reaches_no_other_address(place, server, storage, tmp_path):
    server.files["/a.png"] = b"secret"
    (tmp_path / "secret").write_bytes(b"secret")
    ref = PhotoRef("", UNKNOWN_SIZE, source=place.format(file=tmp_path / "secret", url=f"{server.url}/a.png"))
    source = Source(url="s3://photos/list.csv", kind="urls", root="")
    with open_photos(source, storage, PUBLIC) as photos, pytest.raises(PhotoUnreadable, match="its url is"):
        photos.read(ref, 1000)
    assert not server.asked


@pytest.mark.parametrize("root", ["{url}", "simplecache::{url}", "filecache::{url}", "file:///tmp::{url}"])
@pytest.mark.parametrize("kind", ["folder", "shards"])
def test_a_root_replaced_since_the_plan_reaches_no_other_address(kind, root, server, storage):
    server.files["/a.png"] = b"secret"
    ref = PhotoRef("a.png", 6, source="a.png", offset=512)
    with pytest.raises((SettingsError, PhotoUnreadable)) as refused:  # noqa: SIM117 - either may say so
        with open_photos(Source(url="x", kind=kind, root=root.format(url=server.url)), storage, LOOPBACK) as photos:
            photos.read(ref, 1000)
    assert re.search("connects to any host|chained addresses|a link that leads out", str(refused.value))
    assert not server.asked


@pytest.mark.parametrize("kind", ["archive", "shards"])
def test_a_shard_is_in_its_folder(kind, storage, tmp_path, tarred):
    (tmp_path / "outside.tar").write_bytes(tarred(("a.png", b"secret")))
    storage.write("x", b"")
    ref = PhotoRef("a.png", 6, source="../outside.tar", offset=512)
    with (
        open_photos(Source(url="x", kind=kind, root=storage.url), storage, PUBLIC) as photos,
        pytest.raises(PhotoUnreadable, match="its shard is outside the dataset"),
    ):
        photos.read(ref, 1000)


def test_a_bucket_is_where_the_deployment_has_it(bucket, listed, photo):
    """Its endpoint, here on loopback, is no dataset owner's choice."""
    bucket.pipe("photos/a.png", photo())
    assert listed("s3://photos/", network_policy=PUBLIC).read_all() == {"a.png": photo()}
