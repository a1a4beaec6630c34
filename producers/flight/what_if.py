"""What is to be different in a day that is played again. Data only."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WhatIf:
    """None, or nothing, leaves it as it was recorded. Thresholds are percent, money is US dollars."""

    policy: str | None = None
    cpu_threshold: float | None = None
    ram_threshold: float | None = None
    add_vms: int = 0
    remove_vms: tuple[str, ...] = ()
    cloud: bool | None = None
    money_per_day: float | None = None
    user_weights: dict[str, float] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether anything is."""
        return self != WhatIf()

    def said(self) -> str:
        """In a few words, for a heading."""
        words = [
            self.policy or "",
            _said("CPU threshold", self.cpu_threshold, " %"),
            _said("RAM threshold", self.ram_threshold, " %"),
            f"{self.add_vms} more VM{'s' if self.add_vms > 1 else ''}" if self.add_vms else "",
            f"without {', '.join(self.remove_vms)}" if self.remove_vms else "",
            {None: "", True: "with a cloud", False: "without the cloud"}[self.cloud],
            "" if self.money_per_day is None else f"${self.money_per_day:g} a day",
            f"weights {', '.join(f'{user}={weight:g}' for user, weight in self.user_weights.items())}"
            if self.user_weights
            else "",
        ]
        return ", ".join(filter(None, words)) or "nothing else"


def _said(name: str, value: float | None, unit: str) -> str:
    return "" if value is None else f"{name} {value:g}{unit}"
