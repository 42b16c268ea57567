"""REFRESH: brings events and reports up to what was landed. Rules are in pipelines/reports, tables in lake."""
