"""Collecting the facts of a deployment, from here; each part may be away."""

import platform
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path

import httpx

from ingest_api.settings import CollectorSettings
from lake.catalogue import Catalogue
from lake.errors import LakeError
from lake.location import Lake
from lake.migration import find_outdated
from lake.probe import keeps_one_of_two_commits
from lake.table_spec import TableSpec
from logektor.doctor.facts import DagsterFacts, DiskFacts, Facts, LakeFacts
from logektor.doctor.kafka import SECONDS, look_at_kafka, newest_event
from logektor.doctor.settings import Surroundings
from logektor.settings import StackSettings
from pipelines.landing.settings import LandingSettings
from sites import SitesError, load_sites

_PINNED = re.compile(r"([\w.-]+)==([^ ;]+) ?; extra == .pinned.")


def look(settings: StackSettings, one_machine: bool, tables: Sequence[TableSpec]) -> Facts:
    """Looks at everything once; writes a small table to the lake and deletes it."""
    surroundings, kafka = Surroundings(), settings.kafka
    group = LandingSettings().landing_group
    kafka_facts = look_at_kafka(kafka, settings.topics, group, settings.home / "salts")
    lake = Lake(settings.lake)
    sites, sites_trouble = _sites(settings.sites_file)
    store = None if lake.is_folder else str(surroundings.aws_endpoint_url)
    return Facts(
        one_machine=one_machine,
        wanted_topics=settings.topics,
        kafka=kafka_facts,
        clocks=_clocks(store, newest_event(kafka, kafka_facts.topics)),
        disks=list(_disks(settings.home, CollectorSettings().spool_bytes, lake)),
        lake=look_at_lake(lake, tables),
        dagster=look_at_dagster(surroundings.dagster_home or settings.home / "dagster"),
        python=platform.python_version(),
        libraries=dict(_libraries()),
        sites=sites,
        sites_trouble=sites_trouble,
    )


def look_at_lake(lake: Lake, tables: Sequence[TableSpec]) -> LakeFacts:
    """Whether it is read and written, and its tables."""
    try:
        keeps = keeps_one_of_two_commits(lake)
        built = {entry.name: entry.version for entry in Catalogue(lake).entries()}
        outdated = [each.table for each in find_outdated(lake, tables, lambda *_: None)]
    except LakeError as error:
        return LakeFacts(lake.uri, str(error))
    return LakeFacts(lake.uri, None, keeps, built, outdated)


def look_at_dagster(folder: Path) -> DagsterFacts | None:
    """The storage that dagster.yaml of this folder names; None where there is none."""
    if not (folder / "dagster.yaml").exists():
        return None
    # Imported here: it takes a second.
    import dagster as dg

    name = f"The storage of {folder / 'dagster.yaml'}"
    try:
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            instance.get_runs_count()
            return DagsterFacts(type(instance.run_storage).__name__)
    except Exception as error:
        # Each storage has a library with errors of its own; what they say below the first line may name a password.
        first = str(error).partition("\n")[0]
        return DagsterFacts(name, f"{name} does not answer: {type(error).__name__}: {first}")


def _clocks(store: str | None, newest: float | None) -> Mapping[str, float]:
    clocks = {}
    if store is not None:
        try:
            began = time.time()
            said = httpx.head(store, timeout=SECONDS).headers.get("Date")
            if said is not None:
                # The header has whole seconds: half a second is its error.
                clocks["the object store"] = parsedate_to_datetime(said).timestamp() + 0.5 - (began + time.time()) / 2
        except (httpx.HTTPError, ValueError):
            pass
    # One of the past says nothing: nobody may have sent any since.
    if newest is not None and newest > time.time():
        clocks["the newest event"] = newest - time.time()
    return clocks


def _disks(home: Path, spool_bytes: int, lake: Lake) -> Iterator[DiskFacts]:
    """Each file system once, with the names of all that is on it."""
    spool = home / "spool"
    used = sum(file.stat().st_size for file in spool.glob("*") if file.is_file())
    folders = {"home": home, "spool": spool} | ({"lake": Path(lake.uri)} if lake.is_folder else {})
    names: dict[int, list[str]] = {}
    for name, folder in folders.items():
        names.setdefault(_existing(folder).stat().st_dev, []).append(name)
    for same in names.values():
        folder = _existing(folders[same[0]])
        usage = shutil.disk_usage(folder)
        may_grow = max(0, spool_bytes - used) if "spool" in same else 0
        yield DiskFacts(", ".join(same), str(folder), usage.free, usage.total, may_grow)


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())


def _libraries() -> Iterator[tuple[str, tuple[str, str]]]:
    """Those that are installed and were tested in one version on every system."""
    for line in metadata.requires("logektor") or ():
        found = _PINNED.fullmatch(line)
        if found is not None:
            try:
                yield found[1], (metadata.version(found[1]), found[2])
            except metadata.PackageNotFoundError:
                continue


def _sites(file: Path) -> tuple[int, str | None]:
    try:
        return len(list(load_sites(file))), None
    except SitesError as error:
        return 0, str(error)
