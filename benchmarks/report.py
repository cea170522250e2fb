"""What a benchmark measured, and whether it is what was asked for."""

import argparse
import resource
import sys
from itertools import chain

from client import Failure, tell
from django.core.management import call_command


class Report:
    """The lines of the output, and whether all is reached. `slack` is by how much a figure may be missed."""

    def __init__(self, slack):
        self.slack, self.missed = slack, []

    def at_least(self, name, figure, required, unit):
        self.line(name, figure, f"at least {required / self.slack:,.4g}", unit, figure >= required / self.slack)

    def at_most(self, name, figure, required, unit):
        self.line(name, figure, f"at most {required * self.slack:,.4g}", unit, figure <= required * self.slack)

    def line(self, name, figure, required, unit, is_reached):
        tell(f"{'ok    ' if is_reached else 'MISSED'}  {name}: {figure:,.4g} {unit}; required: {required} {unit}")
        if not is_reached:
            self.missed.append(name)

    def true(self, name, truth, words):
        tell(f"{'ok    ' if truth else 'MISSED'}  {name}: {words}")
        if not truth:
            self.missed.append(name)


def note(words):
    tell(f"        {words}")


def delays_of(committed, seqs, times):
    """Milliseconds from each commit to each arrival, in ascending order."""
    return sorted(1000 * (at - committed[seq]) for seq, at in zip(seqs, times, strict=True) if seq in committed)


def pooled(rounds):
    return sorted(chain.from_iterable(rounds))


def percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def spread(delays):
    return f"p50 {percentile(delays, 50):.1f}, p99 {percentile(delays, 99):.1f}, most {delays[-1]:.1f} ms"


def migrate():
    call_command("migrate", verbosity=0)


def main(description, large, small, prepare=migrate, slack=3):
    """Run what the command line names of the measurements, each `{name: an object with run(report)}`.

    In the small form a figure may be missed by `slack`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(large)}; all unless one is named")
    parser.add_argument("--small", action="store_true", help="less of each, and less asked of the figures")
    options = parser.parse_args()
    measurements = small if options.small else large
    if unknown := set(options.names) - measurements.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    report = Report(slack if options.small else 1)
    if options.small:
        tell(f"The small form: a figure may be missed by a factor of {slack}.")
    prepare()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for all that are started here
    for name in options.names or measurements:
        try:
            measurements[name].run(report)
        except Failure as failure:
            report.true(name, False, str(failure))
    sys.exit(bool(report.missed))
