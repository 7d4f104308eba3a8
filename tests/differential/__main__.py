"""python -m tests.differential"""

import argparse
import collections
import concurrent.futures
import time

import torch


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--programs", type=int, default=2000)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--processes", type=int, default=1)
    p.add_argument("--show", type=int, nargs="*")
    return p.parse_args()


def chunk(numbers):
    from tests.differential.program import Program

    torch.set_num_threads(1)
    found, lines, explained = {}, 0, collections.Counter()
    for number in numbers:
        try:
            program = Program.written(number)
        except Exception as error:
            raise RuntimeError(f"program {number}: {error}") from error
        lines += len(program.lines)
        for d in program.differences():
            if d.reason is not None:
                explained[d.reason] += 1
                continue
            count, shortest, _, whats = found.get(d.group, (0, None, None, set()))
            if count < 3:
                small = program.shrunk(d)
                if shortest is None or len(str(small)) < len(str(shortest)):
                    shortest = small
            found[d.group] = count + 1, shortest, d.detail, whats | {d.line.what}
    return found, lines, explained


def main():
    o = parse()
    if o.show:
        from tests.differential.program import Program
        for n in o.show:
            p = Program.written(n)
            print(f"# {n}")
            print(p)
            for d in p.differences():
                print("  ->", d.line.text, "|", d.kind, "|", d.detail, "|", d.reason)
        return
    start = time.time()
    numbers = range(o.first, o.first + o.programs)
    chunks = [numbers[i:i + 250] for i in range(0, len(numbers), 250)]
    groups, lines, explained = {}, 0, collections.Counter()
    with concurrent.futures.ProcessPoolExecutor(o.processes) as pool:
        for found, n, why in pool.map(chunk, chunks):
            lines += n
            explained += why
            for group, (count, program, detail, whats) in found.items():
                have = groups.get(group, (0, program, detail, set()))
                best = min((have[1], program), key=lambda p: len(str(p)))
                groups[group] = have[0] + count, best, detail, have[3] | whats
    for group, (count, program, detail, whats) in sorted(groups.items(), key=lambda g: -g[1][0]):
        print(f"\n## {count} x {group[0]} in {', '.join(sorted(whats))[:300]}   (program {program.number})\n   {detail}")
        print("\n".join("      " + t for t in str(program).splitlines()))
    print(f"{o.programs} programs, {lines} lines, {len(groups)} groups of differences, {sum(g[0] for g in groups.values())} in all, {time.time()-start:.0f} s")
    for row, count in explained.most_common():
        print(f"  {count} {row.title}")


if __name__ == "__main__":
    main()
