"""Data sets: minibatches (loader), files (idx, hdf5, images), downloads, and the sets drawn by code (digits, faces)."""

from minigrad.data.loader import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate", "random_split"]
