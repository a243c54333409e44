#!/usr/bin/env bash
# `make sanitize`: run the tests of native detector and network under g++'s AddressSanitizer and UndefinedBehaviorSanitizer.
# The package is built again, with both, into a separate environment, which uses all other packages of the usual one.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venvs/uv/bin/uv stages=.venvs/meanface/bin/python
environment=.cache/sanitized
python=$environment/bin/python
packages() { "$1" -c "import sysconfig; print(sysconfig.get_path('purelib'))"; }

$uv venv --quiet --allow-existing --python "${PYTHON:-python3.11}" $environment
$uv pip install --quiet --no-deps --reinstall --python $python ./embedding_image \
  --config-settings cmake.define.MEANFACE_SANITIZE=ON --config-settings install.strip=false
packages $stages >"$(packages $python)/packages.pth"

# The interpreter is built without the sanitizer, so the sanitizer's library must be loaded first. Leaks are not reported:
# the interpreter frees some memory only when it exits.
sanitized() {
  LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)" \
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 "$python" "$@"
}
sanitized -c "from meanface.embedder import _native; assert 'sanitized' in _native.__file__"
sanitized -m pytest -p no:cacheprovider -o timeout=1200 tests/embedding_image/embedder/detector \
  tests/embedding_image/embedder/test_network.py
