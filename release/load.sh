#!/bin/sh
# Copy the images and the chart of this folder to a registry, or load the images into this machine.
#   ./load.sh REGISTRY      such as registry.example.com or registry.example.com/mirror; needs skopeo, and helm for the chart
#   ./load.sh --containerd  into containerd (ctr), on each node of a cluster without a registry
#   ./load.sh --docker      into Docker 25 or newer, as for kind: then `kind load docker-image`
# SKOPEO_OPTIONS and HELM_OPTIONS are passed on, such as --dest-tls-verify=false and --plain-http.
set -eu
cd "$(dirname "$0")"

fail() {
  echo "load.sh: $*" >&2
  exit 1
}

needs() {
  command -v "$1" >/dev/null || fail "$1 is missing: install it, for example with \`apt-get install $1\`"
}

[ $# = 1 ] || fail "write ./load.sh REGISTRY, ./load.sh --containerd, or ./load.sh --docker"
[ -f images.txt ] || fail "there is no images.txt beside load.sh: run it in the folder of a release"

# Each line of images.txt: the archive, and the image's name with its tag.
while read -r archive image; do
  case "$1" in
  --containerd)
    needs ctr
    ctr --namespace k8s.io images import --base-name "${image%:*}" "$archive"
    # Also by digest, as values-digests.yaml names it.
    digest=$(ctr --namespace k8s.io images list "name==$image" | awk 'NR == 2 { print $3 }')
    ctr --namespace k8s.io images tag --force "$image" "${image%:*}@$digest"
    ;;
  --docker)
    needs docker
    docker load --input "$archive"
    ;;
  -*) fail "$1: unknown option" ;;
  *)
    needs skopeo
    # global.imageRegistry of the chart replaces the name of the registry in the same way.
    skopeo copy --all --preserve-digests ${SKOPEO_OPTIONS:-} "oci-archive:$archive" "docker://$1/${image#*/}"
    ;;
  esac
done <images.txt

case "$1" in
-*) exit 0 ;;
esac
for chart in tts-operator-*.tgz; do
  if command -v helm >/dev/null; then
    helm push ${HELM_OPTIONS:-} "$chart" "oci://$1/charts"
  else
    echo "load.sh: helm is missing, so the chart was not pushed: helm push $chart oci://$1/charts"
  fi
done
