# shellcheck shell=sh disable=SC2034
# Sourced by setup.sh and teardown.sh: what is called how. Only PROJECT must be given; the rest may be.

: "${PROJECT:?Set PROJECT to your Google Cloud project, as in: PROJECT=my-project deploy/google/setup.sh}"
REGION=${REGION:-europe-west1}
PREFIX=${PREFIX:-overspill}
BUCKET=${BUCKET:-$PROJECT-$PREFIX-blobs}
OPERATIONS=${OPERATIONS:-sketch,remove-background}

AUDIENCE=$PREFIX # what the tokens of pushes are made for: a name, since the service's address comes after its settings
REPOSITORY=$REGION-docker.pkg.dev/$PROJECT/$PREFIX
ALL_OPERATIONS="sketch remove-background caption"

cloud() {
    gcloud --quiet --project="$PROJECT" "$@"
}

account() {
    echo "$PREFIX-$1@$PROJECT.iam.gserviceaccount.com"
}

there() {
    cloud "$@" >/dev/null 2>&1
}

say() {
    printf '\n== %s\n' "$*"
}
