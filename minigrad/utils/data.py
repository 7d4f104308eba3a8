"""`minigrad.data` under PyTorch's name: `from minigrad.utils.data import Dataset, DataLoader`."""

from minigrad.data.loader import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate", "random_split"]
