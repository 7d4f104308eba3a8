"""A check over several seeds: what one seed does may be luck."""

from gans.machinery.commandline import say
from gans.machinery.run import other_seeds


def over_seeds(run, results, count, judged, least=None):
    """The results of a run with one more: of `count` seeds, from the run's own on, `least` or all pass theirs.

    `judged(other)` trains the run of another seed and returns its (name, value, passed, threshold) rows, which are said
    in a line; it stands in a folder below the run's.
    """
    good = all(passed for _, _, passed, _ in results)
    for other in other_seeds(run, count - 1, save_every=run.args.steps, pictures=1):
        theirs = judged(other)
        good += all(passed for _, _, passed, _ in theirs)
        say(f"seed {other.seed}: " + ", ".join(f"{name} {value:.4g}" for name, value, _, _ in theirs))
    return [*results, ("seeds", good, good >= (least or count), f">={least}" if least else f"=={count}")]
