"""The shipped service units start the daemon with what hardening a service manager can add."""

from __future__ import annotations

import configparser
import plistlib
from pathlib import Path

PACKAGING = Path(__file__).resolve().parent.parent.parent / "packaging"


def test_the_systemd_unit_starts_the_daemon_hardened() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as the standard library documents it
    unit.read(PACKAGING / "systemd" / "mcp-wallet-guard.service", encoding="utf-8")
    service = dict(unit["Service"])
    assert service["ExecStart"].endswith("/mcp-wallet-guard start")
    expected = {
        "UMask": "0077",
        "LimitCORE": "0",
        "NoNewPrivileges": "yes",
        "PrivateTmp": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "read-only",
        "ReadWritePaths": "%h/.mcp-wallet-guard",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
        "CapabilityBoundingSet": "",
    }
    assert service.items() >= expected.items()
    assert "Environment" not in service


def test_the_launchd_agent_starts_the_daemon_hardened() -> None:
    agent = plistlib.loads((PACKAGING / "launchd" / "mcp-wallet-guard.plist").read_bytes())
    assert agent["ProgramArguments"][-1].endswith('/mcp-wallet-guard" start')
    assert agent["Umask"] == 0o077
    assert agent["HardResourceLimits"] == {"Core": 0}
    assert "EnvironmentVariables" not in agent
