"""Every error of this package; its class determines the exit code of the process.

::

    MeanfaceError
    ├── UsageError (2)               the request is wrong; retrying cannot help
    │   ├── SettingsError            a setting is missing, out of bounds or contradicts another
    │   ├── DatasetNotFound          nothing is at the dataset's address
    │   └── OutputNotEmpty           the output folder has files that meanface did not write
    ├── DataError (3)                the data are refused; retrying cannot help
    │   ├── ChecksumMismatch         the archive does not have the requested checksum
    │   ├── DamagedArchive           an archive or a list of addresses cannot be read at all
    │   ├── EmptyDataset             the dataset has no photo
    │   ├── NoFaceFound              no photo has a face: the mean is undefined
    │   ├── PhotoRefused             a single photo cannot be decoded, or is too large
    │   ├── TooManyFailures          more failed photos than `max_failed_fraction` allows
    │   ├── Conflict                 two different values for the same thing
    │   ├── IncompleteRun            partitions are not committed
    │   └── DamagedRecord            a stored record fails its schema, digest or fingerprint
    └── InfrastructureError (4)      a service is unavailable; the same command may succeed later
        ├── RedisUnavailable         Redis cannot be reached, or refuses to store
        └── StorageUnavailable       storage or a server cannot be reached, or is full

Messages name the photo, partition or setting, what was expected, and what to do.
"""


class MeanfaceError(Exception):
    """Base of all errors of this package.

    Examples
    --------
    >>> import meanface
    >>> try:
    ...     meanface.open("/no/such/result")
    ... except meanface.MeanfaceError as error:
    ...     type(error).__name__
    'DatasetNotFound'
    """

    exit_code = 1


class UsageError(MeanfaceError):
    """The request is wrong; retrying cannot help."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, out of bounds, or contradicts another."""


class DatasetNotFound(UsageError):
    """Nothing is at the dataset's address."""


class OutputNotEmpty(UsageError):
    """The output folder has files that meanface did not write; they stay unchanged."""


class DataError(MeanfaceError):
    """The data are refused; retrying cannot help."""

    exit_code = 3


class ChecksumMismatch(DataError):
    """The archive does not have the requested checksum."""


class DamagedArchive(DataError):
    """An archive or a list of addresses cannot be read at all."""


class EmptyDataset(DataError):
    """The dataset has no photo."""


class NoFaceFound(DataError):
    """No photo has a face, so the mean is undefined."""


class PhotoRefused(DataError):
    """A single photo, to embed or to compare with a result, cannot be decoded, or is too large."""


class TooManyFailures(DataError):
    """More failed photos than `max_failed_fraction` allows."""


class Conflict(DataError):
    """Two different values for the same partition, manifest or output folder."""


class IncompleteRun(DataError):
    """Partitions of the manifest are not committed."""


class DamagedRecord(DataError):
    """A stored record fails its schema, digest or fingerprint."""


class InfrastructureError(MeanfaceError):
    """A service is unavailable; the same command may succeed later."""

    exit_code = 4


class RedisUnavailable(InfrastructureError):
    """Redis cannot be reached, or refuses to store."""


class StorageUnavailable(InfrastructureError):
    """The folder, bucket or server with the files cannot be reached, or is full."""
