"""Pins every package, transitive ones too, in pyproject.toml's [tool.uv] constraint-dependencies.

`uv run python .ci/pin.py` writes what uv.lock holds; with `--upgrade` it first lets uv choose the newest versions.
uv.lock itself names a registry's host, so it is not committed.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PINS = re.compile(r"\n\[tool\.uv\]\nconstraint-dependencies = \[\n.*?\n\]\n", re.DOTALL)


def pins(lock: str) -> list[str]:
    """`name==version` per package of a uv.lock, with the marker where uv chose one version per Python."""
    packages = tomllib.loads(lock)["package"]
    lines = []
    for package in packages:
        if "registry" not in package["source"]:
            continue
        markers = package.get("resolution-markers", [])
        versions = {other["version"] for other in packages if other["name"] == package["name"]}
        marker = f" ; {' or '.join(f'({marker})' for marker in markers)}" if len(versions) > 1 else ""
        lines.append(f"{package['name']}=={package['version']}{marker}")
    return sorted(set(lines))


def main(upgrade: bool) -> None:
    """Rewrites pyproject.toml."""
    project = ROOT / "pyproject.toml"
    before = PINS.sub("\n", project.read_text(encoding="utf-8")).rstrip("\n") + "\n"
    if upgrade:
        project.write_text(before, encoding="utf-8")
        subprocess.run(["uv", "lock", "--upgrade"], cwd=ROOT, check=True)  # noqa: S607 - uv is on the PATH
    listed = "".join(f'    "{pin}",\n' for pin in pins((ROOT / "uv.lock").read_text(encoding="utf-8")))
    project.write_text(f"{before}\n[tool.uv]\nconstraint-dependencies = [\n{listed}]\n", encoding="utf-8")


if __name__ == "__main__":
    main("--upgrade" in sys.argv[1:])
