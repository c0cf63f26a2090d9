"""Upload sessions as their rows keep them, over any object store."""

from __future__ import annotations

from dataclasses import dataclass, field

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectStore, Receiver
from registry.storage.layout import new_key


@dataclass
class Session:
    """What was acknowledged, and whose it is by now."""

    store: ObjectStore
    key: ObjectKey = field(default_factory=new_key)
    offset: int = 0
    stored: str = ""
    epoch: int = 0

    def find_receiver(self) -> Receiver | None:
        """As a request that takes the session over."""
        self.epoch += 1
        epoch = self.epoch
        return self.store.receive(self.key, self.offset, self.stored, lambda: self.epoch == epoch)

    def receive(self) -> Receiver:
        receiver = self.find_receiver()
        assert receiver is not None
        return receiver

    def acknowledge(self, receiver: Receiver, length: int) -> None:
        """So many more bytes are durable."""
        self.stored = receiver.sync()
        self.offset += length

    def send(self, content: bytes) -> None:
        """One whole request."""
        with self.receive() as receiver:
            assert receiver.append([content])
            self.acknowledge(receiver, len(content))

    def seal(self) -> None:
        with self.receive() as receiver:
            assert receiver.seal()

    def whole(self) -> bytes:
        """Seal what was acknowledged, and read it."""
        self.seal()
        return content(self.store, self.key)


def put(store: ObjectStore, *chunks: bytes) -> ObjectKey:
    """A sealed object."""
    session = Session(store)
    with session.receive() as receiver:
        assert receiver.append(chunks)
        assert receiver.seal()
    return session.key


def content(store: ObjectStore, key: ObjectKey) -> bytes:
    with store.open(key) as stream:
        return stream.read()
