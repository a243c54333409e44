"""What can go wrong, as one tree; the class decides the process's exit code.

::

    MeanfaceError
    ├── UsageError (2)               the request is wrong; retrying cannot help
    │   ├── SettingsError            a setting is missing, out of bounds or contradicts another
    │   ├── DatasetNotFound          nothing is at the dataset's address
    │   └── OutputNotEmpty           the output folder holds files that are not ours
    ├── DataError (3)                the data are refused; retrying cannot help
    │   ├── ChecksumMismatch         the archive is not the one that was asked for
    │   ├── DamagedArchive           an archive or a list of addresses that cannot be read at all
    │   ├── EmptyDataset             no photo in it
    │   ├── NoFaceFound              no photo has a face: the mean is undefined
    │   ├── TooManyFailures          more failed photos than `max_failed_fraction` allows
    │   ├── Conflict                 two different answers for the same thing
    │   ├── IncompleteRun            partitions without a commit record
    │   └── DamagedRecord            a stored record fails its schema, digest or fingerprint
    └── InfrastructureError (4)      something around us is away; the same command may succeed later
        ├── RedisUnavailable         Redis
        └── StorageUnavailable       the bucket, claim or server that holds files

Messages are for people: they name the photo, partition or setting, say what was expected, and what to do.
"""


class MeanfaceError(Exception):
    """Anything this package refuses or gives up on."""

    exit_code = 1


class UsageError(MeanfaceError):
    """The request is wrong; retrying cannot help."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, out of bounds, or contradicts another."""


class DatasetNotFound(UsageError):
    """Nothing is at the dataset's address."""


class OutputNotEmpty(UsageError):
    """The folder for output holds files that are not ours; they stay as they are."""


class DataError(MeanfaceError):
    """The data are refused; retrying cannot help."""

    exit_code = 3


class ChecksumMismatch(DataError):
    """The archive is not the one that was asked for."""


class DamagedArchive(DataError):
    """An archive or a list of addresses that cannot be read at all."""


class EmptyDataset(DataError):
    """No photo in the dataset."""


class NoFaceFound(DataError):
    """No photo has a face, so that the mean is undefined."""


class TooManyFailures(DataError):
    """More failed photos than `max_failed_fraction` allows."""


class Conflict(DataError):
    """Two different answers for the same partition, manifest or output folder."""


class IncompleteRun(DataError):
    """Partitions of the manifest without a commit record."""


class DamagedRecord(DataError):
    """A stored record fails its schema, digest or fingerprint."""


class InfrastructureError(MeanfaceError):
    """Something around us is away; the same command may succeed later."""

    exit_code = 4


class RedisUnavailable(InfrastructureError):
    """Redis cannot be reached, or refuses to store."""


class StorageUnavailable(InfrastructureError):
    """The folder, bucket or server that holds files cannot be reached, or is full."""
