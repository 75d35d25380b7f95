#!/usr/bin/env bash
# Debian packages that the tests need beside Python: libosmesa6 for MuJoCo's offscreen renderer, chromium for the cockpit.
set -euo pipefail

missing=()
ldconfig -p 2>/dev/null | grep -q libOSMesa || missing+=(libosmesa6)
command -v chromium >/dev/null || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -qq update && apt-get -qq install -y "${missing[@]}"; } >/dev/null 2>&1 ||
        echo "could not install ${missing[*]}: tests that need them will be skipped"
else
    echo "missing: ${missing[*]}; tests that need them will be skipped (sudo apt install ${missing[*]})"
fi
