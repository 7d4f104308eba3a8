"""Many programs, in several processes, and what they found: differences grouped by cause, each with a short program."""

import collections
import concurrent.futures
import time
from concurrent.futures.process import BrokenProcessPool

import torch

CHUNK = 200  # programs that a process takes at a time
SHRUNK = 3  # of each cause, a process makes so many programs shorter


class Cause:
    """Differences that look alike."""

    def __init__(self):
        self.count, self.program, self.detail, self.calls = 0, None, "", set()

    def add(self, count, program, detail, calls):
        """Take in some; the shortest program stays."""
        self.count += count
        self.calls |= calls
        if self.program is None or len(str(program)) < len(str(self.program)):
            self.program, self.detail = program, detail


class Findings:
    """What programs found; the first `shrunk` of each cause are made shorter."""

    def __init__(self, shrunk=SHRUNK):
        self.programs, self.lines, self.shrunk = 0, 0, shrunk
        self.causes, self.explained = collections.defaultdict(Cause), collections.Counter()

    def examine(self, program):
        """Run one program."""
        self.programs += 1
        self.lines += len(program.lines)
        for difference in program.differences():
            if difference.reason is not None:
                self.explained[difference.reason.title] += 1
                continue
            cause = self.causes[difference.group]
            short = program.shrunk(difference) if cause.count < self.shrunk else program
            cause.add(1, short, difference.detail, {difference.line.what})

    def merge(self, other):
        """Take in what another process found."""
        self.programs, self.lines = self.programs + other.programs, self.lines + other.lines
        self.explained += other.explained
        for group, cause in other.causes.items():
            self.causes[group].add(cause.count, cause.program, cause.detail, cause.calls)

    def __str__(self):
        text = []
        for group, cause in sorted(self.causes.items(), key=lambda item: -item[1].count):
            calls = ", ".join(sorted(cause.calls))
            lines = "".join(f"    {line.text}\n" for line in cause.program.lines)
            head = f"{cause.count} x {group[0]}: {calls[:200]} (program {cause.program.number})"
            text.append(f"{head}\n  {cause.detail}\n{lines}")
        text += [f"{count:6} explained: {title}" for title, count in self.explained.most_common()]
        others = sum(cause.count for cause in self.causes.values())
        text.append(f"{self.programs:,} programs, {self.lines:,} lines: {self.explained.total():,} differences on "
                    f"purpose, {others:,} others, of {len(self.causes)} causes")
        return "\n".join(text)


def examined(numbers):
    """The findings of the programs of some numbers."""
    from tests.differential.program import Program

    torch.set_num_threads(1)
    findings = Findings()
    for number in numbers:
        try:
            findings.examine(Program.written(number))
        except Exception as error:
            raise RuntimeError(f"the campaign itself failed at program {number}: {error}") from error
    return findings


def campaign(numbers, processes=1, say=print):
    """The findings of the programs of a range of numbers, by several processes."""
    start, findings = time.monotonic(), Findings()
    chunks = [numbers[i:i + CHUNK] for i in range(0, len(numbers), CHUNK)]
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(examined, chunk): chunk for chunk in chunks}
        for done in concurrent.futures.as_completed(running):
            try:
                findings.merge(done.result())
            except BrokenProcessPool:
                raise RuntimeError(f"a process died at one of the programs from {running[done]} on; run these one by "
                                   "one with --first and --programs") from None
            if findings.programs % (25 * CHUNK) == 0:
                say(f"{findings.programs:,} programs, {time.monotonic() - start:.0f} s, {len(findings.causes)} causes")
    return findings
