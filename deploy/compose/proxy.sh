#!/bin/sh
# Starts the proxy that is named: on its folder of resources, or, with the profile `istiod`, on istiod with the token that
# join.sh left for it.
set -eu
name=$1
if getent hosts kubernetes.shop.internal >/dev/null; then
  set -- --istiod kubernetes.shop.internal:15012 --role "$ROLE" --namespace shop --service-account "$name" --label "app=$name" \
    --token-file "/mesh/$name.token" --root-ca /mesh/root-cert.pem
else
  set -- --resources "/etc/pilotfish/$name"
fi
exec pilotfish "$@" --config-yaml "$(cat /etc/pilotfish/statistics.yaml)"
