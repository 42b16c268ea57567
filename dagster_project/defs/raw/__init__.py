"""What was landed, by the worker and not by Dagster."""
