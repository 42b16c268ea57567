"""The tables: the only place that knows Delta."""
