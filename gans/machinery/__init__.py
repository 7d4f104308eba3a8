"""What the chapters share, so that each is a page.

    run.py           a run: its steps, its log, its checkpoints, what it leaves behind
    folder.py        a run's folder from outside: what it is, which is meant, a new one
    log.py           rows as they happen, as JSON lines, and the table that is made of them
    progress.py      how far a training is, on a terminal or in a pipe
    commandline.py   options, and refusals in one line
    losses.py        each GAN's loss as a function of logits, and penalties
    parts.py         an update, a network that stands still, how weights begin, layers for D
    unrolled.py      steps of D that G looks ahead
    guidelines.py    networks by DCGAN's guidelines, kept or broken
    growing.py       fading, equalised layers, pixel norm, minibatch deviation; growth.py: which level
                     when, and what each technique is worth
    samples.py       samples of a generator, in training and of a finished run
    watch.py         figures that say how D and G are doing
    monitor.py       what goes on in a run, in words; signs.py: the failures that it knows
    report.py        a run on one page; svg.py: its plots
    replay.py        a step computed again, to the bit
    pictures.py      grids, PNG, GIF; plots.py: losses and drawings; portraits.py: games of two
                     numbers; figures.py: those of single chapters
    bells.py         the bell curve: densities, distances, pictures; ideals.py: pictures of the ideal D
    modecounts.py    which hills samples come from; heatmaps.py: samples over what D thinks of each place
    saturation.py    why G's loss is not minus D's
    seeds.py         a check over several seeds
    imagesets.py     what is learnt from
    metrics/         how good samples are; measure.py: all of it for a run; judge.py: a classifier's word on it
    supervised.py    how much is read right, and what few labels are worth by themselves
    pixels.py        pictures pixel by pixel: drawing, what they cost, what depends on what
    critics.py       what a critic has learnt; arithmetic.py: sums and multiples of seeds
    trained.py       what was trained before; attributes.py: what pictures look like, read by name
    directions.py    ways to attributes, sums of concepts; ways.py: what lies between two seeds
    maps.py          feature maps of G, and what it forgets without some; saliency.py: what filters respond to
    views.py         pictures of all these
    memory.py        what a training takes
    faults.py        faults of all this, to be noticed by the checks beside them; faults_growing.py: those of growing,
                     faults_inside.py: of latent and inspect
"""
