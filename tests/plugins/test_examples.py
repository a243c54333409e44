import doctest

import pytest

from meanface_airflow import arguments, errors, naming, records, settings


@pytest.mark.parametrize("module", [arguments, errors, naming, records, settings], ids=lambda module: module.__name__)
def test_examples(module):
    tried = doctest.testmod(module)
    assert tried.attempted
    assert not tried.failed
