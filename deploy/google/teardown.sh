#!/bin/sh
# Remove from Google Cloud what setup.sh made there, pictures included. What is gone already is passed over.
# usage: PROJECT=my-project [REGION=..] [PREFIX=..] [BUCKET=..] teardown.sh
set -eu
here=$(dirname "$0")
# shellcheck source=deploy/google/names.sh
. "$here/names.sh"

failed=0
remove() { # remove GROUP.. delete NAME [FLAG..]: unless it is gone
    echo "$*"
    cloud "$@" >/dev/null || failed=1
}

say "Subscriptions, then topics: nothing is pushed any more"
for operation in $ALL_OPERATIONS; do
    subscription=$PREFIX-jobs-$operation-push
    ! there pubsub subscriptions describe "$subscription" || remove pubsub subscriptions delete "$subscription"
done
for subscription in results-pull dead-pull; do
    ! there pubsub subscriptions describe "$PREFIX-$subscription" ||
        remove pubsub subscriptions delete "$PREFIX-$subscription"
done
for operation in $ALL_OPERATIONS; do
    topic=$PREFIX-jobs-$operation
    ! there pubsub topics describe "$topic" || remove pubsub topics delete "$topic"
done
for topic in results dead; do
    ! there pubsub topics describe "$PREFIX-$topic" || remove pubsub topics delete "$PREFIX-$topic"
done

say "The service, its images and the bucket"
! there run services describe "$PREFIX" --region="$REGION" || remove run services delete "$PREFIX" --region="$REGION"
! there artifacts repositories describe "$PREFIX" --location="$REGION" ||
    remove artifacts repositories delete "$PREFIX" --location="$REGION"
! there storage buckets describe "gs://$BUCKET" || remove storage rm --recursive "gs://$BUCKET"

say "The accounts"
there iam service-accounts describe "$(account builder)" && builder=1 || builder=
[ -z "$builder" ] || remove projects remove-iam-policy-binding "$PROJECT" \
    --member="serviceAccount:$(account builder)" --role=roles/cloudbuild.builds.builder --condition=None
for name in service pusher bridge builder; do
    ! there iam service-accounts describe "$(account "$name")" ||
        remove iam service-accounts delete "$(account "$name")"
done

if [ "$failed" -ne 0 ]; then
    echo "Some of it could not be removed; the lines above say why. Run this again when that is mended." >&2
fi
exit "$failed"
