#!/bin/sh
# Installs the third-party programs the tests talk to, where we may; else names what is missing and goes on.
missing=""
for program in storescp:dcmtk Orthanc:orthanc dciodvfy:dicom3tools strace:strace mariadbd:mariadb-server faketime:faketime mkfs.btrfs:btrfs-progs; do
    command -v "${program%%:*}" >/dev/null 2>&1 || test -x "/usr/sbin/${program%%:*}" || missing="$missing ${program##*:}"
done
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "**********************************************************************"
echo "** NOT INSTALLED:$missing"
echo "** Tests that need these programs will be SKIPPED, each with its reason."
echo "** On Debian or Ubuntu: sudo apt-get install$missing"
echo "**********************************************************************"
