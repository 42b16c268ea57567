"""Dagster's own settings on a home: what `logektor up`, `dagster dev` and `dg dev` share."""

import json
from pathlib import Path

_TICK_DAYS = {"skipped": 1, "success": 2, "failure": 7, "started": 2}


def write_instance(home: Path) -> Path:
    """Writes <home>/dagster/dagster.yaml; DAGSTER_HOME names that folder, and run history and logs are kept in it."""
    file = home / "dagster" / "dagster.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    file.write_text(json.dumps(_settings(file.parent), indent=2) + "\n", encoding="utf-8")
    return file


def _settings(folder: Path) -> dict[str, object]:
    return {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        # One file of events for all runs: with one for each, every run takes 280 KB that deleting it does not free.
        "event_log_storage": _sqlite("dagster._core.storage.event_log", "ConsolidatedSqliteEventLogStorage", folder),
        "run_storage": _sqlite("dagster._core.storage.runs", "SqliteRunStorage", folder),
        "schedule_storage": _sqlite("dagster._core.storage.schedules", "SqliteScheduleStorage", folder),
        # A refresh beside the upkeep of tables; each pool lets one run in at a time.
        "concurrency": {
            "runs": {"max_concurrent_runs": 2},
            "pools": {"default_limit": 1, "granularity": "run"},
        },
        "run_queue": {"dequeue_interval_seconds": 1},
        "run_launcher": {"module": "dagster_project.run_launcher", "class": "WatchedRunLauncher"},
        "run_monitoring": {
            "enabled": True,
            "start_timeout_seconds": 60,
            "cancel_timeout_seconds": 60,
            "poll_interval_seconds": 10,
            "max_resume_run_attempts": 0,
        },
        "retention": {"sensor": {"purge_after_days": _TICK_DAYS}, "schedule": {"purge_after_days": _TICK_DAYS}},
    }


def _sqlite(module: str, storage: str, folder: Path) -> dict[str, object]:
    return {"module": module, "class": storage, "config": {"base_dir": str(folder / "history")}}
