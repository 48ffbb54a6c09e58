#!/bin/sh
# Tells istiod of the services that run outside Kubernetes, opens its port to them, and leaves what each proxy joins with: a
# token of its service account, and the roots. Renewals then go by the certificates themselves.
set -eu
export KUBECONFIG=/etc/rancher/k3s/k3s.yaml
kubectl apply -f /etc/pilotfish/istiod/mesh.yaml
# k3s answers for a LoadBalancer on the ports of its own node.
kubectl -n istio-system patch service istiod --patch '{"spec":{"type":"LoadBalancer"}}'
kubectl -n istio-system rollout status deployment istiod --timeout=180s
until kubectl -n shop get configmap istio-ca-root-cert >/dev/null 2>&1; do sleep 1; done
kubectl -n shop get configmap istio-ca-root-cert -o 'jsonpath={.data.root-cert\.pem}' >/mesh/root-cert.pem
for name in gateway web api; do
  kubectl -n shop create token "$name" --audience=istio-ca --duration=1h >"/mesh/$name.token"
done
# The proxies are another user than this.
chmod 644 /mesh/*
