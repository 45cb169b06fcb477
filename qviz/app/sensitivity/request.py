"""Request: which schemes a sweep tries on the layers, in which role, on how many samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from qviz.app.refusals import refusal
from qviz.app.views import Role
from qviz.errors import QvizError
from qviz.quant.scheme import Scheme, plain
from qviz.quant.spelling import parse_scheme

Roles = Literal["weights", "inputs", "both"]
Mode = Literal["only", "all-but"]
DEFAULT_SCHEMES = ("int8:channel", "int4:channel")
DEFAULT_SAMPLES = 256  # which rank layers like all samples do
PLAN = "plan"  # what stands for a scheme where the plan says it


@dataclass(frozen=True, slots=True)
class Request:
    """Schemes as they are spelled; `samples` None stands for all of the part."""

    schemes: tuple[str, ...] = DEFAULT_SCHEMES
    role: Roles = "weights"
    mode: Mode = "only"
    samples: int | None = DEFAULT_SAMPLES

    def scheme(self, spelled: str, role: Role) -> Scheme:
        """What a slot of a role takes."""
        scheme = parse_scheme(spelled)
        return input_scheme(scheme, self.role) if role == "input" else scheme

    def told(self, spelled: str) -> str:
        """A scheme as words; where inputs take another one than weights, both."""
        if self.role != "both" or spelled == PLAN:
            return spelled
        inputs = self.scheme(spelled, "input")
        return spelled if str(inputs) == spelled else f"weights {spelled} and inputs {inputs}"

    @property
    def slot_roles(self) -> tuple[Role, ...]:
        """The roles of the slots that are tried."""
        roles: dict[Roles, tuple[Role, ...]] = {
            "weights": ("weight",),
            "inputs": ("input",),
            "both": ("weight", "input"),
        }
        return roles[self.role]


def read_request(
    schemes: Sequence[str] | None, role: str, mode: str, samples: int | str
) -> Request:
    """A request of words and numbers; `samples` may be "all".

    Raises:
        QvizError: an unknown word, a scheme that slots of the role cannot have, no samples.
    """
    if mode not in get_args(Mode):
        raise QvizError(f"mode '{mode}'", "there is no such mode", "Use only or all-but")
    if role not in get_args(Roles):
        raise QvizError(f"role '{role}'", "there is no such role", "Use weights, inputs or both")
    if mode == "all-but" and schemes:
        raise QvizError(
            "all-but",
            "it leaves one layer of the plan in float at a time and takes no other schemes",
            "Set the plan, or use the mode only",
        )
    if mode == "only" and schemes is not None and not schemes:
        raise QvizError("schemes", "there are none to try", "Name one, such as int4:channel")
    known_role: Roles = next(word for word in get_args(Roles) if word == role)
    spelled = (PLAN,) if mode == "all-but" else _spelled(schemes or DEFAULT_SCHEMES)
    request = Request(spelled, known_role, "only" if mode == "only" else "all-but", _count(samples))
    if mode == "only":
        for spelling in spelled:
            _check(request, spelling)
    return request


def input_scheme(scheme: Scheme, role: Roles) -> Scheme:
    """What inputs take beside weights of a scheme: unsigned integers of its bits, per tensor.

    In the role `inputs` a scheme per tensor is taken as it is.
    """
    per_tensor = scheme.granularity == "tensor"
    if scheme.row.integer and not (per_tensor and role == "inputs"):
        return plain(f"uint{scheme.bits}")
    if per_tensor or len(scheme.row.granularities) == 1:
        return scheme
    return plain(scheme.format)


def _spelled(schemes: Sequence[str]) -> tuple[str, ...]:
    """Canonical spellings, each once."""
    return tuple(dict.fromkeys(str(parse_scheme(spelled)) for spelled in schemes))


def _check(request: Request, spelled: str) -> None:
    for role in request.slot_roles:
        scheme = request.scheme(spelled, role)
        if scheme.is_float:
            raise QvizError(spelled, "it changes nothing", "Name a scheme that quantizes")
        reason = refusal(scheme, role)
        if reason:
            raise QvizError(f"{scheme} for {role}s", reason, "Choose another scheme or role")


def _count(samples: int | str) -> int | None:
    if samples == "all":
        return None
    try:
        count = int(samples)
    except ValueError:
        count = 0
    if count < 1:
        raise QvizError(f"samples {samples}", "it is no number of samples", "Use 256, or all")
    return count
