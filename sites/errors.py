"""What can be wrong with sites.toml."""


class SitesError(Exception):
    """sites.toml can't be used as it is; the sentence names the file, the site and the field."""
