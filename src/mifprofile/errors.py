"""Errors a user can act on: each message names what, where and the way out."""


class MifprofileError(Exception):
    """Root of every error that the command line reports in one line."""


class UsageError(MifprofileError, ValueError):
    """The caller's fault: an argument, a panel or a config that cannot be right."""


class FormatError(MifprofileError, ValueError):
    """The file's fault: present, but damaged or not of a kind that is understood."""


class MissingError(MifprofileError, FileNotFoundError):
    """Something that was named is not there: a file, a stage's output, a model."""


class StorageError(MifprofileError, OSError):
    """The disk's fault: full, read-only or gone."""


class DependencyError(MifprofileError, ImportError):
    """An optional package that this request needs is not installed."""
