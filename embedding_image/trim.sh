#!/bin/sh
# Remove what no command of the image opens from its site-packages, and debug symbols: `sh trim.sh FOLDER`.
# docs/images.md lists what is left out. tests/images runs every kind of run on the result.
set -eu
cd "$1"

# tests, headers, sources of compiled modules, type stubs, static libraries
find . -type d -name tests -prune -exec rm -r {} +
rm -r pyarrow/include pyarrow/src numpy/_core/include numpy/_core/lib
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' \) -delete

# pyarrow: Flight, and file systems of its own, in place of which fsspec is used; libraries that the wheel has
# under three names
rm pyarrow/*flight[._]* pyarrow/_substrait.* pyarrow/libarrow_s3.* pyarrow/_s3fs.* pyarrow/_gcsfs.* pyarrow/_azurefs.* \
   pyarrow/_hdfs.* pyarrow/_orc.* pyarrow/_dataset_orc.* pyarrow/_pyarrow_cpp_tests.*
for library in pyarrow/lib*.so.*.*.*; do
  short=${library%.*.*}
  cmp -s "$library" "$short" && rm "$library"
  plain=${short%.*}
  if cmp -s "$plain" "$short"; then rm "$plain" && ln -s "$(basename "$short")" "$plain"; fi
done

# botocore: descriptions of all services but S3 and those that sign in to it
find botocore/data -mindepth 1 -maxdepth 1 -type d \
  ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} +

# numpy: its tools for building extensions, and what its own tests compare
rm -r numpy/f2py numpy/distutils numpy/_core/_simd.*
# pillow: drawing text
rm PIL/_imagingft.* pillow.libs/libharfbuzz-* pillow.libs/libfreetype-* pillow.libs/libbrotli*
# pydantic: version 1
rm -r pydantic/v1
# pygments: Rich colours source code with it
rm -r pygments

# symbols that only a debugger reads; not everywhere, as `strip` breaks libraries that auditwheel has changed
find pyarrow -type f \( -name '*.so' -o -name '*.so.*' \) -exec strip --strip-unneeded {} +
