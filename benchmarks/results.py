"""What a benchmark says: figures, aims met or not, and above all whether its answer was right."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Aim:
    """A figure somebody asked for."""

    text: str
    aimed: float
    reached: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.reached >= self.aimed if self.at_least else self.reached <= self.aimed


@dataclass
class Result:
    """`wrong` names what differs from the independent answer; a figure of a wrong answer is none."""

    bench: str
    input: str
    figures: dict[str, Any] = field(default_factory=dict)
    aims: list[Aim] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        aims = [{**asdict(aim), "met": aim.met} for aim in self.aims]
        return {**asdict(self), "aims": aims, "right": not self.wrong}

    def row(self) -> str:
        """A row of the table in docs/benchmarks.md."""
        if self.wrong:
            return f"| {self.bench} | {self.input} | WRONG: {'; '.join(self.wrong[:3])} | |"
        aims = "; ".join(
            f"{aim.text}: {aim.reached:,.6g} (aim {'at least' if aim.at_least else 'at most'} {aim.aimed:,.6g}"
            f", {'met' if aim.met else 'not met'})"
            for aim in self.aims
        )
        return f"| {self.bench} | {self.input} | {aims} | {_short(self.figures)} |"


HEADER = "| bench | input | aims | beside them |\n| --- | --- | --- | --- |"


def machine_line(at: str, machine: Mapping[str, Any]) -> str:
    """What stands above the table."""
    return (
        f"{at}: {machine['processor']}, {machine['cores']} cores, {machine['memory MB']:,} MB, {machine['system']}, "
        f"Python {machine['python']}, load {machine['load before']} over the last quarter of an hour."
    )


def table(results: Sequence[Result]) -> str:
    return "\n".join([HEADER, *(result.row() for result in results)])


def _short(figures: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {json.dumps(value)}" for name, value in figures.items())
