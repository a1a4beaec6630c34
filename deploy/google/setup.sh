#!/bin/sh
# Set up the overflow on Google Cloud: the service's image and Cloud Run service, the accounts, the bucket, the topics.
# Run it again after any change: what is there already is kept or brought up to date.
# usage: PROJECT=my-project [REGION=..] [PREFIX=..] [BUCKET=..] [OPERATIONS=..] [MAX_INSTANCES=..] [MEMORY=..] setup.sh
set -eu
here=$(dirname "$0")
# shellcheck source=deploy/google/names.sh
. "$here/names.sh"
MAX_INSTANCES=${MAX_INSTANCES:-10}
SLOTS=2 # jobs at a time in an instance, a processor each
MEMORY=${MEMORY:-4Gi}
OVERSPILL=${OVERSPILL:-$here/../../.venv/bin/overspill}
IMAGE=$REPOSITORY/service:$(date -u +%Y%m%d-%H%M%S)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A new account, or what it may do, is not known everywhere at once.
patiently() {
    for wait in 5 10 20 40 0; do
        "$@" && return
        sleep "$wait"
    done
    echo "This failed five times: $*" >&2
    return 1
}

add_account() {
    there iam service-accounts describe "$(account "$1")" ||
        cloud iam service-accounts create "$PREFIX-$1" --display-name="$2"
}

may() { # may MEMBER ROLE on COMMAND...: grants on one resource, never on the whole project
    member=$1 role=$2
    shift 3
    patiently cloud "$@" --member="serviceAccount:$member" --role="roles/$role" >/dev/null
}

of() { # of OPERATION: whether the service serves it
    case ",$OPERATIONS," in *",$1,"*) ;; *) return 1 ;; esac
}

say "Services of Google Cloud"
cloud services enable run.googleapis.com pubsub.googleapis.com artifactregistry.googleapis.com \
    cloudbuild.googleapis.com storage.googleapis.com iamcredentials.googleapis.com
number=$(cloud projects describe "$PROJECT" --format='value(projectNumber)')
pubsub_agent=service-$number@gcp-sa-pubsub.iam.gserviceaccount.com

say "Accounts: one that computes, one in whose name Pub/Sub pushes, one for the bridge, one that builds"
add_account service "overspill: the cloud service"
add_account pusher "overspill: Pub/Sub pushes in its name"
add_account bridge "overspill: the bridge at home"
add_account builder "overspill: builds the image"
patiently cloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$(account builder)" \
    --role=roles/cloudbuild.builds.builder --condition=None >/dev/null

say "The bucket for what is too large for a message; what lies in it is deleted after a day"
there storage buckets describe "gs://$BUCKET" ||
    cloud storage buckets create "gs://$BUCKET" --location="$REGION" --uniform-bucket-level-access \
        --public-access-prevention
cloud storage buckets update "gs://$BUCKET" --lifecycle-file="$here/lifecycle.json" --clear-soft-delete
may "$(account service)" storage.objectCreator on storage buckets add-iam-policy-binding "gs://$BUCKET"
may "$(account service)" storage.objectViewer on storage buckets add-iam-policy-binding "gs://$BUCKET"
may "$(account bridge)" storage.objectUser on storage buckets add-iam-policy-binding "gs://$BUCKET"

say "The image"
there artifacts repositories describe "$PREFIX" --location="$REGION" ||
    cloud artifacts repositories create "$PREFIX" --location="$REGION" --repository-format=docker
extras=service models=
if of remove-background; then extras=$extras,remove-background models=u2netp; fi
if of caption; then extras=$extras,caption models="$models blip-image-captioning-base"; fi
cloud builds submit "$here/../.." --config="$here/cloudbuild.yaml" \
    --service-account="projects/$PROJECT/serviceAccounts/$(account builder)" \
    --substitutions="^;^_IMAGE=$IMAGE;_EXTRAS=$extras;_MODELS=$models"

say "The service"
sed -e "s|\${IMAGE}|$IMAGE|g" -e "s|\${PROJECT}|$PROJECT|g" -e "s|\${PREFIX}|$PREFIX|g" -e "s|\${BUCKET}|$BUCKET|g" \
    -e "s|\${AUDIENCE}|$AUDIENCE|g" -e "s|\${OPERATIONS}|$OPERATIONS|g" -e "s|\${MEMORY}|$MEMORY|g" \
    -e "s|\${MAX_INSTANCES}|$MAX_INSTANCES|g" -e "s|\${SLOTS}|$SLOTS|g" "$here/service.yaml" >"$work/service.yaml"
cloud run services replace "$work/service.yaml" --region="$REGION"
address=$(cloud run services describe "$PREFIX" --region="$REGION" --format='value(status.url)')
services=
for operation in $ALL_OPERATIONS; do
    if of "$operation"; then services=${services:+$services,}$operation=$address; fi
done

say "Topics and subscriptions"
OVERSPILL_CLOUD=pubsub OVERSPILL_CLOUD_PROJECT=$PROJECT OVERSPILL_CLOUD_PREFIX=$PREFIX \
    OVERSPILL_CLOUD_SERVICES=$services OVERSPILL_CLOUD_AUDIENCE=$AUDIENCE \
    OVERSPILL_CLOUD_PUSH_ACCOUNT=$(account pusher)
export OVERSPILL_CLOUD OVERSPILL_CLOUD_PROJECT OVERSPILL_CLOUD_PREFIX OVERSPILL_CLOUD_SERVICES \
    OVERSPILL_CLOUD_AUDIENCE OVERSPILL_CLOUD_PUSH_ACCOUNT
"$OVERSPILL" cloud init

say "Who may publish and pull what"
# Pub/Sub makes the tokens of its pushes in the pusher's name, and moves jobs that nobody can do to the dead topic.
may "$pubsub_agent" iam.serviceAccountTokenCreator on iam service-accounts add-iam-policy-binding "$(account pusher)"
may "$pubsub_agent" pubsub.publisher on pubsub topics add-iam-policy-binding "$PREFIX-dead"
may "$(account service)" pubsub.publisher on pubsub topics add-iam-policy-binding "$PREFIX-results"
for operation in $ALL_OPERATIONS; do
    of "$operation" || continue
    may "$pubsub_agent" pubsub.subscriber on pubsub subscriptions add-iam-policy-binding "$PREFIX-jobs-$operation-push"
    may "$(account bridge)" pubsub.publisher on pubsub topics add-iam-policy-binding "$PREFIX-jobs-$operation"
done
for subscription in results-pull dead-pull; do
    may "$(account bridge)" pubsub.subscriber on pubsub subscriptions add-iam-policy-binding "$PREFIX-$subscription"
    may "$(account bridge)" pubsub.viewer on pubsub subscriptions add-iam-policy-binding "$PREFIX-$subscription"
done

say "A job there and back"
patiently "$OVERSPILL" cloud check

say "Done. The bridge at home runs with"
cat <<SETTINGS
OVERSPILL_CLOUD=pubsub
OVERSPILL_CLOUD_PROJECT=$PROJECT
OVERSPILL_CLOUD_PREFIX=$PREFIX
OVERSPILL_CLOUD_SERVICES=$services
OVERSPILL_CLOUD_AUDIENCE=$AUDIENCE
OVERSPILL_CLOUD_PUSH_ACCOUNT=$(account pusher)
OVERSPILL_CLOUD_IN_FLIGHT=$((SLOTS * MAX_INSTANCES))
OVERSPILL_BLOBS=gs://$BUCKET
and as the account $(account bridge): README.md beside this script tells how.
SETTINGS
