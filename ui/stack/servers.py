"""What a stack starts for its programs to speak through, where the settings name none: a broker, a Pub/Sub emulator."""

from pathlib import Path

from bus.settings import Settings
from ui.stack import cloud
from ui.stack.children import Say, ServerChild
from ui.stack.emulator import PubSubEmulator
from ui.stack.plan import BROKER
from ui.stack.processes import LOOPBACK
from ui.stack.rabbitmq import PrivateBroker


class Servers:
    """The servers of one run of a stack."""

    def __init__(self, folder: Path, say: Say) -> None:
        """They keep what they have in `folder`, the stack's own."""
        self.brokers: list[ServerChild] = []
        """One, or none where the settings name theirs."""
        self.emulators: list[ServerChild] = []
        self._folder = folder
        self._say = say

    def spawn(self, chosen: Settings, parts: cloud.Parts, service_port: int) -> Settings:
        """Start them without waiting; returns the settings with the addresses of all there is. Raises SetupError."""
        blobs = chosen.blobs or f"file://{self._folder.absolute()}/blobs"
        update: dict[str, object] = {"amqp_url": chosen.amqp_url or self._spawn_broker(), "blobs": blobs}
        if parts.emulator:
            update |= {"pubsub_emulator_host": self._spawn_emulator(), "cloud_project": cloud.PROJECT}
        if parts.service:
            update["cloud_services"] = (("", f"http://{LOOPBACK}:{service_port}"),)
        return chosen.model_copy(update=update)

    def _spawn_broker(self) -> str:
        self._say("up", "starting a private RabbitMQ; this takes a few seconds")
        broker = PrivateBroker(self._folder / "broker")
        self.brokers.append(ServerChild(BROKER, broker, self._say))
        self.brokers[0].spawn()
        return broker.url()

    def _spawn_emulator(self) -> str:
        emulator = PubSubEmulator(self._folder / "emulator")
        self.emulators.append(ServerChild(cloud.EMULATOR, emulator, self._say))
        self.emulators[0].spawn()
        return emulator.host
