#!/usr/bin/env bash
# Makes what a release consists of in dist/: an archive for each platform with the binary, the licence if there is one, README
# and docs, and SHA256SUMS of them. The same commit and version make the same bytes.
#
#   VERSION=v1.2.3 REVISION=... scripts/dist.sh [OS/ARCH...]
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:?} revision=${REVISION:-}
platforms=("$@")
[ $# -gt 0 ] || platforms=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64)
case $version in
*[!A-Za-z0-9.+_-]*) echo "dist: a version has letters, digits, dots, plus, minus and underscores" >&2 && exit 2 ;;
esac

# The instant of everything in an archive: that of the commit.
time=@$(git log -1 --format=%ct)
dist=$PWD/dist
rm -rf "$dist"
mkdir "$dist"
for platform in "${platforms[@]}"; do
  os=${platform%/*} arch=${platform#*/}
  name=rollcall_${version#v}_${os}_${arch}
  binary=rollcall
  [ "$os" != windows ] || binary=rollcall.exe
  mkdir -p "$dist/$name/docs"
  CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=$version -X main.revision=$revision" -o "$dist/$name/$binary" ./cmd/rollcall
  cp README.md "$dist/$name/"
  cp -r docs/. "$dist/$name/docs/"
  [ ! -f LICENSE ] || cp LICENSE "$dist/$name/"
  chmod -R u=rwX,go=rX "$dist/$name"
  # Times are those of the commit, names are in order, owners are nobody's.
  find "$dist/$name" -exec touch -d "$time" {} +
  if [ "$os" = windows ]; then
    (cd "$dist" && find "$name" -type f | LC_ALL=C sort | TZ=UTC zip -q -X -@ "$name.zip")
  else
    tar --sort=name --mtime="$time" --owner=0 --group=0 --numeric-owner -C "$dist" -cf - "$name" | gzip -9n >"$dist/$name.tar.gz"
  fi
  rm -r "${dist:?}/$name"
  echo "made dist/$name"
done
(cd "$dist" && sha256sum -- rollcall_* | tee SHA256SUMS)
