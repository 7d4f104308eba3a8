"""What the chapters share, so that each is a page.

A run
    run.py           its steps, its log, its checkpoints, what it leaves behind
    folder.py        its folder from outside: what it is, which is meant, a new one
    log.py           rows as they happen, as JSON lines, and the table that is made of them
    progress.py      how far a training is, on a terminal or in a pipe
    commandline.py   options, and refusals in one line
    replay.py        a step computed again, to the bit
    watch.py         figures that say how D and G are doing
    monitor.py       what goes on in a run, in words; signs.py: the failures that it knows
    report.py        a run on one page; svg.py: its plots
    memory.py        what a training takes

What a GAN is made of
    losses.py        each GAN's loss as a function of logits, and penalties
    parts.py         an update, a network that stands still, how weights begin, layers for D
    guidelines.py    networks by DCGAN's guidelines, kept or broken
    growing.py       fading, equalised layers, pixel norm, minibatch deviation; growth.py: which level
                     when, and what each technique is worth
    unrolled.py      steps of D that G looks ahead; pool.py: pictures of some time ago, for D
    warps.py         small turns, slants, stretches and shifts, through which gradients flow

What is learnt from, and what comes out
    imagesets.py     pictures; stacks.py: digits as the colours of one; pairs.py: pairs of them, or two sets
    samples.py       samples of a generator, in training and of a finished run
    translate.py     pictures made of pictures; pixels.py: pixel by pixel
    generators.py    generators by name; trained.py: whatever was trained before
    pictures.py      grids, PNG, GIF; plots.py: losses and drawings; portraits.py: games of two
                     numbers; figures.py: those of single chapters

How good it is
    metrics/         of any samples; measure.py: all of it for a run; judge.py: a classifier's word on it
    seeds.py         a check over several seeds
    bells.py         the bell curve: densities, distances, pictures; ideals.py: pictures of the ideal D
    modecounts.py    which hills samples come from; heatmaps.py: samples over what D thinks of each place
    stackcounts.py   how many kinds of stacked digits there are
    saturation.py    why G's loss is not minus D's; critics.py: what a critic has learnt
    supervised.py    how much is read right, and what few labels are worth by themselves
    codes.py         what codes have become; counterparts.py: two sets, where the truth is known

Looking inside
    arithmetic.py    sums and multiples of seeds; ways.py: what lies between two
    attributes.py    what pictures look like, read by name; directions.py: ways to that, sums of concepts
    maps.py          feature maps of G, and what it forgets without some; saliency.py: what filters respond to
    views.py         pictures of all these

    faults.py        faults of all this, to be noticed by the checks beside them; faults_growing.py: those of growing,
                     faults_inside.py: of latent and inspect
"""
