"""Which cloud takes the overflow."""

from bridge.cloud import Cloud
from bus.errors import SetupError
from bus.settings import Settings


def cloud_of(settings: Settings) -> Cloud:
    """The cloud that the settings name, not yet opened.

    Raises SetupError when they name none, or when its packages or settings are missing.
    """
    if settings.cloud == "none":
        raise SetupError(
            "There is nothing to bridge to: OVERSPILL_CLOUD is none. Set it to pubsub or http, or run no bridge."
        )
    try:
        # Each has packages of its own, which who uses the other need not have.
        if settings.cloud == "http":
            from bridge.pool.http_pool import HttpPool  # noqa: PLC0415

            return HttpPool(settings)
        from bridge.pubsub.pubsub_cloud import PubSubCloud  # noqa: PLC0415

        return PubSubCloud(settings)
    except ImportError as error:
        raise SetupError(f"The bridge lacks a package ({error}): pip install 'overspill[bridge]'.") from None
