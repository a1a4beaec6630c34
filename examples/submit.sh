#!/bin/sh
# Send one image and wait for its answer, from a shell: submit.sh IMAGE OPERATION OUT
# Needs Debian's amqp-tools, and AMQP_URL in the environment.
#
# These tools show a message's body but not its headers. So what the answer's headers would tell, where the job ran,
# is read from the job's event instead, which names the user we send as.
set -eu

if [ $# -ne 3 ]; then
    echo "usage: submit.sh IMAGE OPERATION OUT" >&2
    exit 2
fi
image=$1 operation=$2 out=$3
url=${AMQP_URL:-amqp://guest:guest@localhost:5672}
folder=$(mktemp -d)
user=shell-${folder##*.}
trap 'kill "$answer" "$events" 2>/dev/null || true; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
answer='' events=''

# Wait until a listener tells the name the broker gave its queue: from then on nothing passes it by.
queue_of() {
    for _ in $(seq 100); do
        name=$(sed -n 's/^Server provided queue name: //p' "$1")
        if [ -n "$name" ]; then
            echo "$name"
            return
        fi
        if [ -s "$1" ] && ! grep -q "^Server" "$1"; then break; fi # it said something else: an error
        sleep 0.1
    done
    cat "$1" >&2
    return 1
}

# Two queues of our own; the broker deletes them with the connections.
timeout 120 amqp-consume -u "$url" -x -A -c 1 cat >"$folder/answer" 2>"$folder/answers.log" &
answer=$!
amqp-consume -u "$url" -x -A -e events -r "job.done.$operation" awk 1 >"$folder/events" \
    2>"$folder/events.log" &
events=$!
reply_to=$(queue_of "$folder/answers.log")
queue_of "$folder/events.log" >/dev/null

amqp-publish -u "$url" -e jobs -r "$operation" -t "$reply_to" -p -H "user: $user" <"$image"

if ! wait "$answer"; then
    echo "no answer within 120 s" >&2
    exit 1
fi
if head -c 100 "$folder/answer" | grep -aq '^{"type":"urn:overspill:problem:'; then
    cat "$folder/answer" >&2
    echo >&2
    exit 1
fi
cp "$folder/answer" "$out"

event=''
for _ in $(seq 50); do # the event may come a little after the answer
    event=$(grep "\"user\":\"$user\"" "$folder/events" || true)
    [ -n "$event" ] && break
    sleep 0.1
done
member() { printf %s "$event" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
echo "$out: ran on $(member vm) by way of $(member route)"
