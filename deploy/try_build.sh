#!/bin/sh
# Build the Dockerfile where no image can be pulled: sh deploy/try_build.sh [cpu|cuda|training|load]
#
# As root on Debian, with debootstrap and buildah. In place of the pinned base stands one of Debian's packages, with the
# same Python 3.11: a proof that every instruction works, not an image to ship. A service is then started and asked.
set -eu
cd "$(dirname "$0")/.."
target=${1:-cpu}
work=$(mktemp -d /var/tmp/ribbon-build.XXXXXX)
export BUILDAH_ISOLATION=chroot
build() { buildah --root "$work/store" --runroot "$work/run" "$@"; }
clean() {
    awk -v work="$work" 'index($2, work) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
    rm -rf "$work"
}
trap clean EXIT

debootstrap --variant=minbase --include=python3,python3-pip,ca-certificates bookworm "$work/base" \
    http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; exit 1; }
cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/" # this machine may have a certificate of its own
ln -s /usr/bin/python3.11 "$work/base/usr/local/bin/python"
rm -f "$work/base/usr/lib/python3.11/EXTERNALLY-MANAGED" # the pinned base lets pip install
base=$(build from scratch)
build add --quiet "$base" "$work/base" / >/dev/null
build config --env PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin "$base"
build commit --quiet "$base" localhost/base >/dev/null

build build --format docker --pull-never --ignorefile .dockerignore --build-arg PYTHON_IMAGE=localhost/base \
    --target "$target" --file deploy/Dockerfile --tag localhost/ribbon .
build images
[ "$target" = cpu ] || exit 0
made=$(build from --pull-never localhost/ribbon)
build run --user 10001 --env RIBBON_PORT=18431 "$made" -- sh -ec '
    python -m service &
    tries=60
    until python -I -S healthcheck.py; do tries=$((tries - 1)); [ $tries -gt 0 ]; sleep 1; done
    echo healthy
    kill $!
    wait $!'
