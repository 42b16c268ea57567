"""What can be wrong with reports that other packages bring."""

from importlib.metadata import EntryPoint


class BadReport(Exception):
    """An entry point of the group `logektor.reports` can't be used; the sentence names it and the fault."""

    def __init__(self, entry: EntryPoint, fault: str) -> None:
        package = f" of package {entry.dist.name}" if entry.dist else ""
        super().__init__(
            f"The entry point {entry.name} = {entry.value!r}{package} in the group {entry.group} is no report: "
            f"{fault}. Mend the package or uninstall it."
        )
