"""The cloud's keys: who reads them, what is signed, and the broker's own copies."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from real_parts import find_mosquitto, free_port, is_open, make_request, run_cloud, wait_until

import cloud
from cloud.app import initialise
from cloud.errors import ConfigurationError, InvalidError
from cloud.keys.authority import Authority
from cloud.keys.signing import load_signing_key, public_signing_key
from cloud.settings import Settings
from models.clock import SystemClock

NOW = time.time_ns()


def test_secrets_are_for_their_owner_alone(settings: Settings) -> None:
    assert settings.keys.stat().st_mode & 0o777 == 0o700
    private = [path for path in settings.state.rglob("*") if path.suffix == ".key"]
    assert len(private) == 5
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_init_again_keeps_keys_and_refuses_other_ports(settings: Settings) -> None:
    def keys() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in settings.state.rglob("*.key")}

    before = keys()
    initialise(settings.state, broker_port=None, http_port=None, clock=SystemClock())
    assert keys() == before
    with pytest.raises(ConfigurationError, match=r"broker\.port"):
        initialise(settings.state, broker_port=1, http_port=None, clock=SystemClock())


def test_certificate_of_a_gateway_says_its_name_and_no_more(settings: Settings) -> None:
    authority = Authority.load(settings.keys)
    _, csr = make_request("gw-a")
    certificate = authority.sign_request(csr, "gw-a", NOW, 10)
    certificate.verify_directly_issued_by(authority.certificate)
    assert certificate.subject.rfc4514_string() == "CN=gw-a"
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_after_utc.timestamp() == NOW // 10**9 + 10 * 86400


def rsa_request() -> str:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gw-a")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("csr", "code"),
    [
        ("", "csr"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "csr"),
        (make_request("gw-b")[1], "csr_name"),
        (make_request("cloud-urgent")[1], "csr_name"),
        (rsa_request(), "csr"),
    ],
)
def test_request_that_is_not_the_gateways_is_refused(settings: Settings, csr: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Authority.load(settings.keys).sign_request(csr, "gw-a", NOW, 10)
    assert caught.value.code == code


def test_list_of_revoked_certificates_names_them(settings: Settings) -> None:
    authority = Authority.load(settings.keys)
    listed = x509.load_pem_x509_crl(authority.revocations([17], NOW))
    assert listed.get_revoked_certificate_by_serial_number(17) is not None
    assert listed.is_signature_valid(authority.certificate.public_key())


def test_damaged_keys_are_named(settings: Settings) -> None:
    assert len(public_signing_key(settings.keys)) == 32
    (settings.keys / "signing.key").write_bytes(b"short")
    with pytest.raises(ConfigurationError, match=r"signing\.key"):
        load_signing_key(settings.keys)
    (settings.keys / "ca.key").write_bytes(b"no key")
    with pytest.raises(ConfigurationError, match=r"ca\.key"):
        Authority.load(settings.keys)


def test_broker_started_by_root_gives_root_up_where_it_can(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give root up")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        open_folder = Path(name)
        open_folder.chmod(0o755)
        settings = initialise(open_folder / "s", broker_port=None, http_port=None, clock=SystemClock())
        said = (settings.broker_folder / "mosquitto.conf").read_text()
        owner = pwd.getpwuid(settings.broker_folder.stat().st_uid).pw_name
        assert owner in ("mosquitto", "nobody")
        assert f"\nuser {owner}\n" in said
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    settings = initialise(closed / "s", broker_port=None, http_port=None, clock=SystemClock())
    assert "\nuser root\n" in (settings.broker_folder / "mosquitto.conf").read_text()


@pytest.mark.integration
@pytest.mark.needs("mosquitto")
@pytest.mark.parametrize("account", ["root", "nobody"])
def test_broker_runs_for_root_and_for_an_ordinary_user(account: str) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv to become somebody else")
    change = [] if account == "root" else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reach = [*change, sys.executable, "-P", "-c", f"open({str(Path(cloud.__file__))!r})"]
    if subprocess.run(reach, capture_output=True, check=False).returncode:
        pytest.skip(f"{account} may not read this checkout")
    port = free_port()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        if change:
            os.chown(folder, 65534, 65534)
        else:
            folder.chmod(0o755)
        state = folder / "state"
        words = ["init", "--broker-port", str(port), "--http-port", str(free_port())]
        run_cloud(state, *words, as_account=change)
        conf = state / "broker" / "mosquitto.conf"
        broker = subprocess.Popen([*change, find_mosquitto(), "-c", str(conf)], stderr=subprocess.PIPE)
        try:
            wait_until(lambda: broker.poll() is not None or is_open(port), "the broker")
            assert broker.poll() is None, broker.stderr and broker.stderr.read()
            if not change:
                uid = Path(f"/proc/{broker.pid}").stat().st_uid
                assert uid != 0
        finally:
            broker.terminate()
            broker.wait(10)
