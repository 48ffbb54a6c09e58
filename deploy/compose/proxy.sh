#!/bin/sh
# Starts the proxy that is named: on its folder of resources, or on istiod with the token that join.sh left for it.
set -eu
name=$1
case "${CONTROL_PLANE:-}" in
  istiod)
    set -- --istiod kubernetes:15012 --role "$ROLE" --namespace shop --service-account "$name" --label "app=$name" \
      --token-file "/mesh/$name.token" --root-ca /mesh/root-cert.pem
    ;;
  *)
    set -- --resources "/etc/pilotfish/$name"
    ;;
esac
exec pilotfish "$@" --config-yaml "$(cat /etc/pilotfish/statistics.yaml)"
