"""The lab and the mouse, as an archive of sessions needs to know them: [lab] of config.ini, and subject.ini."""

from datetime import date
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from rig.settings.fields import setting

LAB, SUBJECT, WEIGHTS = "lab", "subject", "weights"
"""The sections; [lab] stands in config.ini, the others in subject.ini."""
ABOUT_LIGHT = frozenset(
    {"indicator", "green_excitation_nm", "green_emission_nm", "blue_excitation_nm", "blue_emission_nm"}
)
"""What is asked only where light is measured."""


def check_day(value: object) -> object:
    """Return a day that has been; ValueError for one to come."""
    if isinstance(value, date) and value > date.today():
        raise ValueError("this day is still to come")
    return value


Wavelength = Annotated[float, Field(ge=200, le=2000)] | None
Grams = Annotated[float, Field(gt=0, le=2000)]
Day = Annotated[date, AfterValidator(check_day)]
ONE_NAME = r"[^,;]+, [^,;]+"
People = Annotated[str, Field(pattern=rf"^({ONE_NAME}(; {ONE_NAME})*)?$")]
Latin = Annotated[str, Field(pattern=r"^([A-Z][a-z]+ [a-z]+)?$")]
Line = Annotated[str, Field(max_length=1000)]


class Lab(BaseModel):
    """The section [lab] of config.ini; what is not given is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    experimenter: People = setting(LAB, "who runs the session; several with ; between them", "Last, First", "")
    institution: Line = setting(LAB, "institution", "", "")
    lab: Line = setting(LAB, "lab", "", "")
    rig: Line = setting(LAB, "name of this rig", "", "")
    indicator: Line = setting(LAB, "indicator of activity, as GCaMP6s", "", "")
    green_excitation_nm: Wavelength = setting(LAB, "excitation of what the green channel shows", "nm", None)
    green_emission_nm: Wavelength = setting(LAB, "emission that the green channel sees", "nm", None)
    blue_excitation_nm: Wavelength = setting(LAB, "light of the blue channel", "nm", None)
    blue_emission_nm: Wavelength = setting(LAB, "light that the blue channel sees", "nm", None)
    camera_model: Line = setting(LAB, "model of the camera", "", "")
    camera_manufacturer: Line = setting(LAB, "manufacturer of the camera", "", "")


class Subject(BaseModel):
    """The section [subject] of data_root/MOUSE/subject.ini; what is not given is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sex: Literal["", "M", "F", "U", "O"] = setting(SUBJECT, "sex", "M, F, U (unknown) or O (other)", "")
    date_of_birth: Day | None = setting(SUBJECT, "date of birth", "YYYY-MM-DD", None)
    species: Latin = setting(SUBJECT, "species in Latin", "as Mus musculus", "Mus musculus")
    strain: Line = setting(SUBJECT, "strain", "", "")
    genotype: Line = setting(SUBJECT, "genotype", "", "")
    group: Line = setting(SUBJECT, "group of the study", "", "")
    implant: Line = setting(SUBJECT, "implant", "", "")
    notes: Line = setting(SUBJECT, "notes", "", "")
    baseline_weight_g: Grams | None = setting(SUBJECT, "weight that counts as 100 %; the first one if empty", "g", None)


class Weight(BaseModel):
    """A weight of a mouse."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    weight: Annotated[Grams, BeforeValidator(lambda text: str(text).replace(",", "."))] = setting(
        WEIGHTS, "weight of the mouse", "g"
    )


Part = TypeVar("Part", bound=BaseModel)
