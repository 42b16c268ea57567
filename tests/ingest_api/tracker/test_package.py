"""The script's folder as others take it: one file of a known size, its types, and a package for npm."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ingest_api.service import TRACKER_FILE

ROOT = Path(__file__).parents[3]
FOLDER = TRACKER_FILE.parent
PACKAGE = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
TYPESCRIPT = "7.0.2"

USE = """
import 'logektor';
import type { LogektorEngagement, LogektorOptions } from 'logektor';

const options: LogektorOptions = { site: 'example.com', api: 'https://collect.example.com', debug: true };
window.logektorOptions = options;
window.logektor = window.logektor || function () { (logektor.q = logektor.q || []).push(arguments) };
logektor('signup');
window.logektor('signup', { plan: 'pro', seats: 3, nested: { list: [1, null] } });
const parts: LogektorEngagement[] = [{ engagedMs: 1, scrollDepth: 100 }];
export const seconds: number = parts.reduce((sum, part) => sum + part.engagedMs, 0) / 1000;
"""

MISUSE = (
    "logektor();",
    "logektor(1);",
    "logektor('signup', 'pro');",
    "window.logektorOptions = { site: 'example.com' };",
    "window.logektorOptions = { api: 'https://collect.example.com', sites: 'example.com' };",
)


@pytest.fixture(scope="module")
def npm() -> str:
    found = shutil.which("npm")
    if found is None:
        assert "CI" not in os.environ, "CI checks the types: .ci/run must install npm"
        pytest.skip("npm is not installed")
    return found


@pytest.fixture(scope="module")
def tsc(npm: str) -> Path:
    """TypeScript's compiler, downloaded on the first run on this machine."""
    folder = Path.home() / ".cache" / "logektor" / f"typescript-{TYPESCRIPT}"
    compiler = folder / "node_modules/.bin/tsc"
    if not compiler.exists():
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(
            [npm, "install", "--prefix", folder, *quiet, f"typescript@{TYPESCRIPT}"], check=True, timeout=300
        )
    return compiler


def test_the_types_fit_how_the_script_is_used_and_refuse_what_it_does_not_take(tsc: Path, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "node_modules/logektor")
    (tmp_path / "use.ts").write_text(USE, encoding="utf-8")
    refused = "\n".join(f"// @ts-expect-error\n{line}" for line in MISUSE)
    (tmp_path / "misuse.ts").write_text(f"import 'logektor';\n{refused}\n", encoding="utf-8")
    strict = ["--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    checked = subprocess.run(
        [tsc, *strict, "--types", "", "use.ts", "misuse.ts"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_npm_packs_the_script_its_types_and_its_readme_only(npm: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "tracker")
    packed = subprocess.run(
        [npm, "pack", "--dry-run", "--json"], cwd=tmp_path / "tracker", capture_output=True, text=True, timeout=120
    )
    (package,) = json.loads(packed.stdout)
    assert {file["path"] for file in package["files"]} == {"README.md", "logektor.d.ts", "logektor.js", "package.json"}


def test_the_package_has_the_projects_version_and_licence_and_names_files_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (PACKAGE["version"], PACKAGE["license"]) == (project["version"], project["license"])
    named = [PACKAGE["main"], PACKAGE["types"], *PACKAGE["exports"]["."].values(), *PACKAGE["files"]]
    assert all((FOLDER / name).is_file() for name in named)


def test_the_script_is_at_most_5_kb_for_a_browser() -> None:
    report = subprocess.run([sys.executable, ROOT / ".ci/tracker_size.py"], capture_output=True, text=True, timeout=60)
    assert report.returncode == 0, report.stdout
    assert "compressed by gzip" in report.stdout


def test_the_scripts_downloads_are_those_of_the_log_import() -> None:
    (listed,) = re.findall(r"/\\\.\(([a-z0-9|]+)\)\$/i;", TRACKER_FILE.read_text(encoding="utf-8"))
    kinds = json.loads((FOLDER / "download_extensions.json").read_text(encoding="utf-8"))
    assert listed.split("|") == [extension for kind in kinds.values() for extension in kind]


def test_the_readme_and_the_types_name_every_option() -> None:
    script = TRACKER_FILE.read_text(encoding="utf-8")
    options = set(re.findall(r"options\.([a-z]+)", script)) | set(re.findall(r"'([a-z]+)' in options", script))
    assert options == {"site", "key", "api", "path", "hash", "debug"}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    types = (FOLDER / "logektor.d.ts").read_text(encoding="utf-8")
    assert all(f"`data-{option}`" in readme and f"readonly {option}" in types for option in options)
