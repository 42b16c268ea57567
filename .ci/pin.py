"""Pins every package, transitive ones too, in pyproject.toml.

What the product needs is the extra `pinned`, so that a wheel can be installed as it was tested; what only development
needs is in [tool.uv] constraint-dependencies. `uv run python .ci/pin.py` writes what uv.lock holds; with `--upgrade`
it first lets uv choose the newest versions. uv.lock itself names a registry's host, so it is not committed.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "pyproject.toml"
EXPORT = ("uv", "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-header", "--no-annotate")


def product_pins() -> list[str]:
    """`name==version` of each package that an installed wheel needs, with its marker where not every system does."""
    exported = subprocess.run(EXPORT, cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted(exported.stdout.split("\n")[:-1])


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


def with_list(project: str, name: str, lines: Iterable[str]) -> str:
    """The text of pyproject.toml with these lines in the list of a name."""
    listed = "".join(f'    "{line}",\n' for line in lines)
    changed, count = re.subn(rf"(\n{name} = \[\n).*?(\]\n)", rf"\g<1>{listed}\g<2>", project, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"pyproject.toml needs one list `{name}`.")
    return changed


def main(upgrade: bool) -> None:
    """Rewrites pyproject.toml."""
    project = PROJECT.read_text(encoding="utf-8")
    if upgrade:
        free = with_list(with_list(project, "pinned", []), "constraint-dependencies", [])
        PROJECT.write_text(free, encoding="utf-8")
        subprocess.run(["uv", "lock", "--upgrade"], cwd=ROOT, check=True)  # noqa: S607 - uv is on the PATH
    product = product_pins()
    names = {pin.split("==")[0] for pin in product}
    rest = [pin for pin in pins((ROOT / "uv.lock").read_text(encoding="utf-8")) if pin.split("==")[0] not in names]
    project = with_list(project, "pinned", product)
    PROJECT.write_text(with_list(project, "constraint-dependencies", rest), encoding="utf-8")


if __name__ == "__main__":
    main("--upgrade" in sys.argv[1:])
