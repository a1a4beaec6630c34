"""Which of RabbitMQ's bundled plugins a private node sees: a node reads through all it sees at each start."""

from pathlib import Path

# Never needed by the node itself or by a plugin of ours. Without them a start takes about a third less.
_UNUSED = tuple(
    f"rabbitmq_{name}"
    for name in (
        "amqp1_0",
        "auth_backend",
        "auth_mechanism",
        "aws",
        "federation",
        "jms",
        "management",
        "mqtt",
        "peer_discovery",
        "prometheus",
        "shovel",
        "stomp",
        "stream",
        "top",
        "tracing",
        "trust_store",
        "web",
    )
)


def select(bundled: Path, chosen: Path) -> Path | None:
    """Fill the folder `chosen` with links to the plugins in `bundled` that a node may need, made anew each time.

    Returns None, to leave RabbitMQ to its defaults, where `bundled` is not the folder we take it for.
    """
    if not any(bundled.glob("rabbitmq_prelaunch*")):
        return None
    chosen.mkdir(exist_ok=True)
    for old in chosen.iterdir():
        old.unlink()
    for plugin in bundled.iterdir():
        if not plugin.name.startswith(_UNUSED):
            (chosen / plugin.name).symlink_to(plugin)
    return chosen
