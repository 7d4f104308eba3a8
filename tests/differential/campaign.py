"""Many programs, in several processes, and what they found: differences grouped by cause, each with a short program."""

import collections
import concurrent.futures
import multiprocessing
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
        self.programs, self.lines, self.shrunk, self.crashed = 0, 0, shrunk, []
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
        text += [f"left out, because a process died at one of them: programs {self.crashed}"] * bool(self.crashed)
        others = sum(cause.count for cause in self.causes.values())
        text.append(f"{self.programs:,} programs, {self.lines:,} lines: {self.explained.total():,} differences on "
                    f"purpose, {others:,} others, of {len(self.causes)} causes")
        return "\n".join(text)


_places = None  # in a process: for each process the number of the program that it is at


def _begin(places, next_place):
    global _places
    with next_place.get_lock():
        _places, next_place.value = (places, next_place.value), next_place.value + 1
    torch.set_num_threads(1)


def examined(numbers):
    """The findings of the programs of some numbers."""
    from tests.differential.program import Program

    findings = Findings()
    for number in numbers:
        if _places:
            _places[0][_places[1]] = number
        try:
            findings.examine(Program.written(number))
        except Exception as error:
            raise RuntimeError(f"the campaign itself failed at program {number}: {error}") from error
    return findings


def campaign(numbers, processes=1, say=print):
    """The findings of the programs of a range of numbers, by several processes.

    Where a process dies (PyTorch has crashed), the others' work goes on without the program that it was at.
    """
    start, findings = time.monotonic(), Findings()
    left = [list(numbers[i:i + CHUNK]) for i in range(0, len(numbers), CHUNK)]
    while left:
        places, alone = multiprocessing.Array("q", [-1] * processes), multiprocessing.Value("q", 0)
        with concurrent.futures.ProcessPoolExecutor(processes, initializer=_begin, initargs=(places, alone)) as pool:
            running = {pool.submit(examined, chunk): chunk for chunk in left}
            try:
                for done in concurrent.futures.as_completed(running):
                    findings.merge(done.result())
                    left.remove(running[done])
                    if findings.programs % (25 * CHUNK) == 0:
                        say(f"{findings.programs:,} programs, {time.monotonic() - start:.0f} s, "
                            f"{len(findings.causes)} causes")
            except BrokenProcessPool:
                findings.crashed += [number for number in places if number >= 0]
                left = [[number for number in chunk if number not in findings.crashed] for chunk in left]
    return findings
