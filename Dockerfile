# One image for every part of overspill; what a machine computes with comes as EXTRAS: none for a router, "vm" for a VM,
# "service" for a bridge or a cloud service, "page" for the page, and "remove-background" or "caption" beside these for what they need;
# "traces" beside any, where traces are sent to a collector.
#
# Behind a mirror: PYTHON_IMAGE names the base image, and pip's own variables below name the package index. They are
# arguments of the build stage alone, so no address of yours is left in the image.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ARG EXTRAS=""
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PATH=/opt/overspill/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/overspill
WORKDIR /src
# The dependencies have a layer of their own: it stays cached until pyproject.toml changes.
COPY deploy/compose/requirements.py pyproject.toml ./
RUN python requirements.py "${EXTRAS}" > requirements.txt && pip install -r requirements.txt
COPY . .
RUN pip install --no-deps .

FROM ${PYTHON_IMAGE} AS runtime
# The folder is for a volume: a new one takes over whose it is.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent overspill \
    && install --directory --owner overspill --group overspill --mode 0700 /var/lib/overspill
COPY --from=build /opt/overspill /opt/overspill
ENV PATH=/opt/overspill/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["overspill"]

# What Cloud Run runs, or any host of containers: docker build --target cloud-service --build-arg EXTRAS=service .
FROM runtime AS cloud-service
ENV OVERSPILL_SERVICE_HOST=0.0.0.0
EXPOSE 8080
CMD ["cloud-service"]

# Without a target: the image of every part.
FROM runtime
