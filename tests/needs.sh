#!/usr/bin/env bash
# What the tests need beside .venv: a Chromium, from Debian's or Ubuntu's packages. Does nothing where one is there.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
echo "Installing chromium for the tests of the pages"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null
