"""What is installed is what pyproject.toml pins, so that a fresh clone gets what was tested."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    pins = PROJECT["project"]["optional-dependencies"]["pinned"] + PROJECT["tool"]["uv"]["constraint-dependencies"]
    for pin in pins:
        name, version = pin.split(" ; ")[0].split("==")
        versions.setdefault(canonical(name), set()).add(version)
    return versions


def test_every_installed_package_is_pinned_to_its_version() -> None:
    pins = pinned()
    installed = {canonical(each.name): each.version for each in distributions()}
    del installed["logektor"]
    wrong = {name: version for name, version in installed.items() if version not in pins.get(name, set())}
    assert not wrong, "run `uv run python .ci/pin.py` and commit pyproject.toml"


def test_every_named_dependency_is_pinned() -> None:
    named = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    names = {canonical(re.split(r"[\[=<>~! ;]", each)[0]) for each in named}
    assert names <= set(pinned())
