"""What the MES knows: one running order per line, closed and followed when its quantity is made."""

from dataclasses import dataclass, field

from mingwu.lab.physics.laws import Readings, shift_number


@dataclass
class Line:
    """A production line as the MES dispatches it; ``book`` per finished part."""

    key: str
    product: str
    recipe: str
    quantity: int
    time_s: float
    serial: int = 1
    produced: int = 0
    scrap: int = 0
    total: int = 0
    started_s: float = 0.0
    closed: list[tuple[str, int, int]] = field(default_factory=list)
    readings: Readings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started_s = self.time_s

    @property
    def order(self) -> str:
        """Number of the running order."""
        return f"ORD.{self.key}.{self.serial:05d}"

    @property
    def lot(self) -> str:
        """Number of the running lot: an order is made in lots of a quarter each."""
        return f"LOT.{self.key}.{self.serial:05d}.{min(4, self.produced * 4 // self.quantity + 1)}"

    def book(self, good: int, scrap: int) -> None:
        """Count finished parts; a full order is closed and the next one opened."""
        self.produced += good
        self.scrap += scrap
        self.total += good
        if self.produced >= self.quantity:
            self.closed.append((self.order, self.produced, self.scrap))
            self.serial += 1
            self.produced = self.scrap = 0
            self.started_s = self.time_s

    def step(self, dt_s: float) -> None:
        """Advance by ``dt_s`` (1 s)."""
        self.time_s += dt_s

    def refresh(self) -> None:
        """Fill the readings: the columns of the MES's dispatch table."""
        out = self.readings
        hours = max(1 / 60, (self.time_s - self.started_s) / 3600)
        rate = self.produced / hours
        made = self.produced + self.scrap
        out["order_id"] = self.order
        out["lot_id"] = self.lot
        out["product"] = self.product
        out["recipe"] = self.recipe
        out["quantity"] = self.quantity
        out["produced"] = self.produced
        out["scrap"] = self.scrap
        out["progress"] = 100.0 * self.produced / self.quantity
        out["first_pass_yield"] = 100.0 * self.produced / made if made else 100.0
        out["rate"] = rate
        out["shift"] = shift_number(self.time_s)
