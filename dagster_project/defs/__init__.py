"""What Dagster knows, by domain. Everything here is found and loaded by dagster_project.definitions."""
