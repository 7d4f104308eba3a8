"""What the chapters share: the folder of a run, the command line, pictures, measures, what is learnt from."""
