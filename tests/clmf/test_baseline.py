"""A baseline in place of the trials of CLMF."""

from rig.protocol.trials import Step, open_course
from support.paws import paw_settings


def test_a_baseline_takes_the_same_four_arguments_as_the_trials():
    settings = paw_settings()
    course = open_course(settings.plan(), baseline_s=2)
    for n in range(60):
        time_s, crossed, may_pay, may_start = n / settings.framerate, True, True, True
        assert course.step(time_s, crossed, may_pay, may_start) == Step(), "nothing is earned, nothing begins"
